"""nginx: where its file lets it listen, and that file with another port."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

COPY = ".nginx.conf"  # what only another port has made
_COMMENT = re.compile(r"#.*")
_LISTEN = re.compile(
    r"(?<![\w-])listen\s+(?!unix:)(?:(?P<host>[\w.*:\[\]-]+):)?(?P<port>\d+)(?P<rest>[^;]*);"
)


class Listening(NamedTuple):
    """Where nginx listens. host: "" is everywhere. tls: whether it speaks TLS there."""

    host: str
    port: str
    tls: bool


def configuration(arguments: Sequence[str], folder: Path) -> Path | None:
    """Return the path of the file that its arguments name, or None; relative to `-p`, as there."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
    parser.add_argument("-p", dest="prefix", default="")
    parser.add_argument("-c", dest="file")
    try:
        typed, _ = parser.parse_known_args(list(arguments))
    except argparse.ArgumentError:
        return None  # an option without its value: nginx says so itself
    return Path(folder, typed.prefix, typed.file) if typed.file else None


def listening(text: str) -> list[Listening]:
    """Return where a configuration lets nginx listen, as far as that is a port."""
    return [
        Listening(match["host"] or "", match["port"], "ssl" in match["rest"].split())
        for match in _LISTEN.finditer(_COMMENT.sub("", text))
    ]


def as_root(text: str) -> list[str]:
    """Return arguments that let nginx stay root, where we are: `nobody` may not enter folders."""
    is_root = sys.platform == "linux" and os.geteuid() == 0
    return ["-g", "user root;"] if is_root and not re.search(r"^\s*user\s", text, re.M) else []


def copy_with_port(file: Path, typed: int, port: int) -> Path:
    """Write a configuration beside itself, with another port; return the path of the copy.

    Beside itself, because nginx looks there for what it includes. Raises OSError.
    """
    copy = file.with_name(COPY)
    text = re.sub(
        rf"(listen\s[^;#]*?(?<!\d)){typed}(?!\d)", rf"\g<1>{port}", file.read_text("utf-8")
    )
    copy.write_text(text, "utf-8")
    return copy
