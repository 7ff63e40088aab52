"""What the checks about rooms, groups and workers share."""

import contextlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from channels_live.checks import crossing
from channels_live.checks.client import Client
from channels_live.checks.not_yet import NotYet, shown
from channels_live.checks.site import Site

CROSSED = 2 * crossing.WAIT  # seconds that one who joins waits if sync consumers share a thread
LEFT = "what your consumer does when somebody leaves: their channel must be taken out of the group"
ENDED = "what runs when an exception ends your consumer: `disconnect` does not, a `finally` does"


def as_json(frame: str | bytes) -> Any:
    """Return what a frame says, or None if it is not JSON."""
    with contextlib.suppress(ValueError):
        return json.loads(frame)


def send(sender: Client, frame: Mapping[str, Any], *readers: Client) -> None:
    """Send a frame as JSON. If a reader errs over it, that NotYet will have what was sent."""
    sender.send(frame)
    for reader in readers:
        if reader is not sender:
            same = reader.site is sender.site
            whose = "another client" if same else "a client of the other server"
            reader.sent = f"{shown(sender.sent)}, by {whose}"


def read_until(expected: Mapping[str, Any], look: str, *clients: Client) -> None:
    """Let each client read until a frame says this. Raises NotYet if none does."""
    for client in clients:
        client.read_until(expected, look)


def let_messages_cross(folder: Path, busy: str = crossing.BUSY) -> None:
    """Give a project a layer in which messages cross whoever joins a busy group.

    busy: what stands in the name of such a group.
    """
    shutil.copy(crossing.__file__, folder)
    layer = {"BACKEND": "crossing.CrossingLayer", "CONFIG": {"busy": busy}}
    with (folder / "myproject/settings.py").open("a", encoding="utf-8") as settings:
        settings.write(f"\nCHANNEL_LAYERS = {{'default': {layer}}}\n")


def expect_error(client: Client, look: str) -> None:
    """Let a client read an error. Raises NotYet if the next frame is none."""
    expected = 'an {"error": …}'
    answer = client.receive(look, expected)
    content = as_json(answer)
    if not (isinstance(content, dict) and "error" in content):
        raise NotYet(look, sent=client.sent, got=answer, expected=expected)


def has_left(site: Site, sent: str = "the end of a connection", look: str = LEFT) -> None:
    """Raise NotYet if somebody who has left is still in a group."""
    gone = {event["conn"] for event in site.events("close")}

    def groups(op: str) -> set[tuple[int, str]]:
        return {(event["conn"], event["target"]) for event in site.events("layer", op=op)}

    for conn, group in groups("group_add") - groups("group_discard"):
        if conn in gone:
            got = f"their channel is still in the group {group}"
            raise NotYet(look, sent=sent, got=got)
    if site.errors():
        raise NotYet(look, sent=sent, got="an exception")
