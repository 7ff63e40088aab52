"""How Sphinx makes the site; `make site` stages what it reads."""

import re
from importlib import metadata

project = "Django Channels, Live"
author = "the authors of Django Channels, Live"
copyright = f"{author}, CC BY 4.0"
version = metadata.version("channels-live")
extensions = ["myst_nb", "sphinx.ext.autodoc"]
exclude_patterns = ["files/**"]  # notebooks to download
templates_path = ["_templates"]

nb_execution_mode = "off"
nb_merge_streams = True
nb_mime_priority_overrides = [("epub", "text/plain", 1)]  # no script draws diagrams there
myst_enable_extensions = []
myst_heading_anchors = 3
myst_heading_slug_func = "channels_live.authoring.pages.slug"  # as JupyterLab's

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
default_role = "code"

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "top_of_page_buttons": [],
    "light_css_variables": {"font-stack": "system-ui, sans-serif"},
}
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/instructor.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

epub_show_urls = "no"
epub_basename = "channels-live"
epub_exclude_files = ["_static/mermaid.min.js", "_static/site.js"]
epub_css_files = ["site.css"]
suppress_warnings = [
    "epub.unknown_project_files",
    "misc.highlighting_failure",  # a line with `!` in an answer: not Python, but a notebook's
]


def _arguments(app, what, name, obj, options, lines):
    """Make a list of the lines "name: meaning" in a docstring; the next lines belong to them."""
    inside = False
    for at, line in enumerate(lines):
        if re.match(r"[a-z_]+(, [a-z_]+)*: ", line):
            names, meaning = line.split(": ", 1)
            lines[at] = ("" if inside else "\n") + f"- `{names}`: {meaning}"
            inside = True
        elif inside:
            lines[at] = f"  {line.strip()}" if line.strip() else ""
            inside = bool(line.strip())
    lines[:] = "\n".join(lines).split("\n")


def setup(app):
    app.connect("autodoc-process-docstring", _arguments)
