"""`channels-live board`: starts the board of a class, which is a Django project of its own."""

import json
import os
import secrets
import socket
import sys
import time
from pathlib import Path
from typing import Any

from channels_live.server.ports import is_loopback
from channels_live.trouble import in_words
from channels_live.workshop import plan
from channels_live.workspace import SAMPLE, LessonError, overwrite, workspace_folder

PROJECT = SAMPLE / "board"
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ"  # without those that look like others


def run(address: str, port: int, new: bool = False) -> int:
    """Serve the board until it is interrupted. Return its exit status.

    address: of this computer, or "all". port: a number. new: whether to begin a new class.

    Raises LessonError where it cannot be served.
    """
    if not PROJECT.is_dir():
        raise LessonError(f"The folder {PROJECT} is missing. Get the course again.")
    host = plan.EVERYWHERE if address == "all" else address
    plan.check_address(host, port)
    try:
        folder = workspace_folder() / "board"
        known = open_class(folder, new)
    except OSError as error:
        raise LessonError(f"The board cannot be started. {in_words(error)}") from error
    addresses = _addresses(host)
    page = f"http://{addresses[0]}:{port}"
    os.environ.update(
        DJANGO_SETTINGS_MODULE="boardsite.settings",
        DJANGO_DEBUG="0",
        DJANGO_SECRET_KEY=known["secret"],
        DJANGO_ALLOWED_HOSTS=",".join([*addresses, "127.0.0.1", "localhost"]),
        BOARD_DATA=str(folder),
        BOARD_ADDRESS=page,
        BOARD_CODE=known["code"],
        BOARD_WORD=known["word"],
        BOARD_HELPER_WORD=known["helper_word"],
    )
    os.environ.pop("REDIS_URL", None)
    sys.path.insert(0, str(PROJECT))
    _migrate()
    cell = f'from channels_live import join_class; join_class("{page}", "{known["code"]}")'
    print(
        f"The board of this class is served at {page}/\n\n"
        "Two links, not for the screen in the room: who has one comes in.\n\n"
        f"  you      {page}/#{known['word']}\n"
        f"  helpers  {page}/#{known['helper_word']}\n\n"
        "For learners, and “How learners join” on the board shows it too. With a cell:\n\n"
        f"           {cell}\n\n"
        "or in a terminal of JupyterLab:\n\n"
        f"           channels-live join {page} {known['code']}\n\n"
        'With name="Ada" in the cell, or --name Ada, the board shows that name; else one that it\n'
        "makes up.\n",
        flush=True,
    )
    if is_loopback(host):
        print("Only this computer reaches it. --address all opens it to your network.")
    else:
        print("It is not encrypted: whoever listens in your network can read what is sent.")
    print("Control-C ends it. What it knows stays in", folder, flush=True)
    _serve(host, port)
    return 0


def open_class(folder: Path, new: bool = False) -> dict[str, str]:
    """Return what lets people into a class: `code`, `word`, `helper_word`, `secret`.

    folder: where it is stored; it is made the first time. new: whether to begin another class, and
    keep what is stored under another name. Raises OSError if it cannot be written.
    """
    if new and folder.is_dir():
        folder.rename(folder.with_name(f"{folder.name}-{time.strftime('%Y-%m-%d-%H%M%S')}"))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "class.json"
    try:
        known: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
        if {"code", "word", "helper_word", "secret"} <= known.keys():
            return known
    except (FileNotFoundError, ValueError, AttributeError):
        pass
    known = {
        "code": "".join(secrets.choice(_LETTERS) for _ in range(6)),
        "word": _word(),
        "helper_word": _word(),
        "secret": secrets.token_urlsafe(40),
    }
    overwrite(file, json.dumps(known), private=True)
    return known


def _word() -> str:
    """Return a word that can be told to somebody: two of four syllables, 49 bits together."""
    vowels, consonants = "aeiou", "bdfgklmnprstvz"
    halves = (
        "".join(secrets.choice(consonants) + secrets.choice(vowels) for _ in range(4))
        for _ in range(2)
    )
    return "-".join(halves)


def _addresses(host: str) -> list[str]:
    """Return the addresses under which the board is reached, the best one first."""
    if host not in ("0.0.0.0", "::"):
        return [host]
    name = socket.gethostname()
    return [*plan.addresses(), name, f"{name}.local"]


def _migrate() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _serve(host: str, port: int) -> None:
    from daphne.cli import CommandLineInterface

    daphne: Any = CommandLineInterface()
    # its own log would tell each request; an error it tells all the same
    daphne.run(["-b", host, "-p", str(port), "-v", "0", "boardsite.asgi:application"])
