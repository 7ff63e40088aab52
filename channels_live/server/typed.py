"""A line as typed in a terminal, taken apart; what only a shell understands is refused."""

import errno
import os
import re
import shlex

from channels_live.server.diagnosis import ServerError
from channels_live.trouble import in_words, short

LONGEST_LINE = 100_000  # characters; Linux takes 131,072 bytes for one word
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.S)
_RUNNERS = {"uv", "poetry", "pipenv"}  # as in `uv run daphne …`
_NO_MATTER = {"nohup", "time", "exec", "env"}  # in front of a command, they change nothing here
_NO_SHELL = "There is no shell here, so `{}` cannot be used. "
_ONE = "Start one command at a time. It runs in the folder of your files, so leave a `cd` out."
_INSTEAD = {  # of what only a shell understands
    "&": "A server runs in the background anyway: leave it out.",
    "&&": _ONE,
    "|": "What the server prints is in `server.log()`: leave it out.",
}
_PROMPT = re.compile(r"\s*(?:([$%])\s+|(!)\s*)(?=\S)")  # of a terminal, or of a notebook's cell

# What texts for printing make of quotation marks, hyphens and blanks, at the edge of a word
_PRINTED = re.compile(r"(?<!\S)[–—“”„‘’]|[“”‘’](?!\S)|\u00a0")
_TYPED = str.maketrans(
    {**dict.fromkeys("“”„", '"'), **dict.fromkeys("‘’", "'")} | {"–": "-", "—": "--", "\u00a0": " "}
)


def taken_apart(line: str) -> tuple[list[str], dict[str, str], list[str]]:
    """Return the words of a command, one at least, the variables that are set before it, a runner.

    line: as typed. A runner is what runs it in the environment of a project, such as `uv run`.
    Raises ServerError, with what to write instead.
    """
    words, variables = _words(line), {}
    while words and (words[0] in _NO_MATTER or _ASSIGNMENT.fullmatch(words[0])):
        if assignment := _ASSIGNMENT.fullmatch(words[0]):
            variables[assignment[1]] = assignment[2]
        words = words[1:]
    if words[:1] == ["sudo"]:
        raise ServerError("No server of this course needs another user's rights: leave `sudo` out.")
    runner: list[str] = []
    if words[:1] and words[0] in _RUNNERS and words[1:2] == ["run"]:
        runner, words = words[:2], words[2:]
    if not words:
        raise ServerError("There is no command to start: the text is empty.")
    return words, variables, runner


def _words(line: str) -> list[str]:
    if not isinstance(line, str):
        raise ServerError(f"A command is a text, as typed in a terminal, not {short(repr(line))}.")
    if "\0" in line:
        raise ServerError("A command cannot hold the character \\0. Type it anew.")
    if len(line) > LONGEST_LINE:  # reading it would take seconds
        raise ServerError(in_words(OSError(errno.E2BIG, os.strerror(errno.E2BIG))))
    if printed := _PRINTED.search(line):
        raise ServerError(
            f"`{printed[0]}` is not the character that is on a keyboard: it is for printed texts. "
            f"Write `{short(line.translate(_TYPED))}`."
        )
    line = re.sub(r"\\\r?\n", " ", line)  # it goes on in the next line
    lexer = shlex.shlex(line.strip(), posix=True, punctuation_chars="|&;<>\n")
    lexer.commenters, lexer.whitespace = "", " \t\r"
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError as error:
        raise ServerError(f"`{short(line)}` cannot be read: {error}.") from error
    if prompt := _PROMPT.match(line):
        raise ServerError(
            f"The `{prompt[1] or prompt[2]}` in front is no part of the command: leave it out. "
            f"Write `{short(line[prompt.end() :])}`."
        )
    for word in words:
        if word and not word.strip("|&;<>\n"):
            if "\n" in word:
                raise ServerError(f"Each line is a command of its own. {_ONE}")
            instead = "&&" if word in ("||", ";") else "|" if word not in _INSTEAD else word
            raise ServerError(_NO_SHELL.format(word) + _INSTEAD[instead])
    return words
