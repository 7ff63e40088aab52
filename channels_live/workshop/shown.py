"""What the instructor of a class is told, and shows to the class."""

import io
import shlex
import sysconfig
from pathlib import Path

import segno

from channels_live.server.ports import is_loopback
from channels_live.workshop import certificate, plan
from channels_live.workshop.room import INSTRUCTOR, Room

TRUST = """\
Who knows the code can come in, under any name. All learners are one user of this computer: with a
cell of Python each can read and change what the others write, and whatever you can here. So it is
for a room in which you trust everybody, and best run by a user that owns nothing else.
"""
_PLAIN = (
    "What passes between them and this computer can be read in their network: --tls hides it.\n"
)
_OWN = """\
The certificate is this class's own, so each browser warns once. Its SHA-256, to compare:
{}"""
_ALONE = """\
Only this computer reaches that. Learners reach it when you end this and say which address to
listen on, for example
{}"""


def welcome(room: Room, address: str, port: int) -> str:
    """Return what to show as a class begins. address: on which it listens."""
    facts = room.facts
    alone = is_loopback(address)
    hosts = plan.hosts(address)
    tls = facts["tls"]
    scheme = "https" if tls else "http"
    urls = [f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/" for host in hosts]
    lines = [
        f"A class for {len(room.seats)} learners. This part is for you, not for the screen:",
        "",
        f"     you   come in as {INSTRUCTOR}, with the code {facts['instructor_code']};",
        f"           {urls[0]}hub/admin shows whose server runs, and ends or starts it",
        f"    work   {room.folder / 'learners'}: a folder for each learner",
        "   board   shows who is stuck. In another terminal:",
        f"           {_program()} board{'' if alone else ' --address all'}",
        "",
        TRUST
        + ("" if tls else _PLAIN)
        + "Control-C ends the class. The same command, in this folder, goes on with it.",
        "",
    ]
    if tls.get("own"):
        lines += [_OWN.format(certificate.fingerprint(tls["certificate"])), ""]
    if alone:
        ways = [f"  {_program()} class --address {own}" for own in [*plan.addresses(), "all"]]
        lines += [_ALONE.format("\n".join(ways)), ""]
    # last, so that a screen that shows it shows no code of the instructor's
    lines += ["And this for the class:", ""]
    lines += [f"  {'come to' if url is urls[0] else '     or'}  {url}" for url in urls]
    lines += [f"     code  {facts['code']}", ""]
    if not alone:
        lines += [picture(urls[0]), ""]
    return "\n".join(lines)


def _program() -> str:
    """Return our command as any terminal finds it, whatever its PATH."""
    own = Path(sysconfig.get_path("scripts"), "channels-live")
    return shlex.quote(str(own)) if own.exists() else "channels-live"


def picture(url: str) -> str:
    """Return an address as a picture for a terminal, to be scanned."""
    drawn = io.StringIO()
    segno.make(url, micro=False).terminal(drawn, compact=True)
    return drawn.getvalue().rstrip("\n")
