"""Changes that a lesson shows in a fence, applied to a file: `- old`, `+ new`, and lines around."""

import re

FENCES = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def applied(change, files):
    """Return (path, text) of a file after a change.

    change: what stands between the fences; its first line is `# ` and the path, `…` parts it.
    files: {path: text} of the project before.
    """
    first, _, body = change.partition("\n")
    path = first.removeprefix("# ")
    text = files[path]
    for part in re.split(r"^…\n", body, flags=re.M):
        lines = [(line[:1], f"{line[1:]}\n") for line in part.splitlines()]
        old = "".join(line for mark, line in lines if mark != "+")
        new = "".join(line for mark, line in lines if mark != "-")
        if part:
            assert text.count(old) == 1, f"{path} has this {text.count(old)} times:\n{old}"
            text = text.replace(old, new)
    return path, text
