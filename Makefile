# For GNU make from 3.81 (macOS) on and any POSIX shell. On Windows, see README.md.
PYTHON ?= python3
VENV = .venv
RUN = $(VENV)/bin/python -m
PIP = $(RUN) pip install --disable-pip-version-check
# What learners need, and with it what developers need, from one lock. Each is touched last, so that
# an interrupted installation is taken up again.
READY = $(VENV)/.installed
TOOLS = $(VENV)/.tools
CLASS = $(VENV)/.class

.DEFAULT_GOAL = help
.PHONY: help lab class test quick coverage lint format lock build new picture bench bench-class kit site

help: ## list these commands
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile
	@echo 'ARGS="…" passes options on; PYTHON=python3.13 chooses the Python of a new $(VENV)'

# What it opens are the learner's own copies, which channels_live/lab.py lays out: in workspace/, or
# in the folder that CHANNELS_LIVE_WORKSPACE names, and then JupyterLab shows that.
lab: $(READY) ## open the lessons in JupyterLab
	@mkdir -p "$${CHANNELS_LIVE_WORKSPACE:-workspace}"
	$(RUN) channels_live.lab \
		--ServerApp.root_dir="$${CHANNELS_LIVE_WORKSPACE:-$(CURDIR)}" \
		--LabApp.default_url=/lab/tree/$$(test "$$CHANNELS_LIVE_WORKSPACE" || echo workspace/)notebooks/00_start_here.ipynb \
		$$(test $$(id -u) -ne 0 || echo --allow-root) $(ARGS)

class: $(CLASS) ## serve the course to a class: ARGS=--check, or ARGS="--users 20 --address all"
	$(RUN) channels_live class $(ARGS)

# Four workers on two cores: most tests wait for a server.
test: $(TOOLS) ## run all tests and compare every output of every lesson
	$(RUN) pytest -n 4 --durations=10 $(ARGS)

quick: $(TOOLS) ## run the tests that need no server, no kernel and no browser
	$(RUN) pytest -n 2 -m "not live" tests $(ARGS)

coverage: $(TOOLS) ## run all tests, and list the lines that none of them reaches
	$(RUN) coverage erase
	@# what a killed server has half written is left out
	$(RUN) coverage run -m pytest -n 4 $(ARGS); status=$$?; \
		$(RUN) coverage combine --quiet 2>/dev/null; $(RUN) coverage report; exit $$status

lint: $(TOOLS) ## check style, spelling, types and imports, notebooks included
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) codespell_lib
	$(RUN) mypy
	$(VENV)/bin/lint-imports

format: $(TOOLS) ## repair what lint can repair by itself
	$(RUN) ruff check --fix-only
	$(RUN) ruff format

lock: $(TOOLS) ## renew requirements.txt from pyproject.toml (ARGS=--upgrade: newest versions)
	$(RUN) uv pip compile --quiet --universal --python-version 3.11 --extra class --extra dev --extra site \
		--annotation-style line --custom-compile-command "make lock" \
		--output-file requirements.txt pyproject.toml $(ARGS)

build: $(READY) ## derive all that is derived, only what changed (one lesson: ARGS=5; ARGS=--check; ARGS=--all)
	$(RUN) channels_live.authoring.build $(ARGS)

# make hands on what is set on its command line, so that no title needs to be quoted twice
new: $(READY) ## cut a lesson from the frame: make new N=14 TITLE="Run many servers"
	@$(RUN) channels_live.authoring.new "$$N" "$$TITLE"

picture: $(TOOLS) ## renew the picture in the README, moving and still
	$(VENV)/bin/python tests/picture.py lab

site: $(TOOLS) ## build the site to read into build/site, with EPUB and PDF (ARGS=--html: without)
	$(RUN) channels_live.authoring.site $(ARGS)

bench: $(READY) ## measure what watching a server costs, and how fast a room is
	$(VENV)/bin/python tests/bench.py $(ARGS)

bench-class: $(TOOLS) ## let scripted learners take part in a class: ARGS="--learners 50"
	$(VENV)/bin/python tests/bench_class.py $(ARGS)

kit: $(READY) ## make a folder for a stick, which installs the course without a network
	$(RUN) channels_live.authoring.kit

$(READY): requirements.txt pyproject.toml $(wildcard lab/*.json lab/extension/*.json lab/extension/code/*)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "This needs Python 3.11 or newer, and '$(PYTHON)' is not." \
			"Name one that is, for example: make lab PYTHON=python3.13"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
		echo "'$(PYTHON)' cannot make virtual environments." \
			"On Debian and Ubuntu install its part that can: apt install python3-venv"; exit 1; }
	@test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV)
	$(PIP) -c requirements.txt -e .
	@touch $@

$(CLASS): $(READY)
	$(PIP) -c requirements.txt -e '.[class]'
	@touch $@

$(TOOLS): $(READY)
	$(PIP) -r requirements.txt
	@touch $@
