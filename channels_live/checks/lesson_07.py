"""What is right in the exercises of lesson 7, Run the server."""

import contextlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager

from websockets.exceptions import ConnectionClosed

from channels_live.checks import WAIT, Client, Fits, NotYet, Site, shown, word

HINTS = {
    "7.1": [
        "Compare the line with the one that the lesson starts daphne with, letter by letter. "
        "Then look through the lesson's table of options.",
        Fits(
            "not enough values", "What stands between the module and the name of the application?"
        ),
        Fits(
            "the smaller decides|got in|invalid int",
            "There are two limits, one for a message and one for a frame. Raise both to 2,000,000. "
            "A number is written without commas.",
        ),
        Fits(
            "names the file",
            "`--access-log` takes the name of the file: `--access-log access.log`. "
            "The command has four options then.",
        ),
    ],
    "7.2": [
        "A static file is a page like others, so look at `urls.py`. Django has a function that "
        "makes the addresses of all static files: `staticfiles_urlpatterns`.",
        "It comes from `django.contrib.staticfiles.urls`, and returns a list. "
        "What becomes of a list that nobody adds to `urlpatterns`?",
        "Below the list: `urlpatterns += staticfiles_urlpatterns()`. "
        "Without `DEBUG`, what it returns is empty.",
    ],
    "7.3": [
        "Look at *Watch it fail* in the lesson once more: which method is not called "
        "when the server stops?",
        "Nothing that must happen belongs in `disconnect`. "
        "When is a note known for the first time?",
        "Write each note in `receive`, before you answer. Then nothing may write it a second time.",
        '`with NOTES.open("a", encoding="utf-8") as file:`, and in it '
        '`file.write(f"{text_data}\\n")`. Take `self.notes` and `disconnect` out.',
    ],
}


def check_7_1(site: Site) -> None:
    site.serve(
        command_in_procfile(site), "the command in `Procfile`: the message above says what is wrong"
    )
    look = "which of the two servers the line starts: this one serves static files"
    site.page("/static/myapp/site.css", look, 404)
    look = "which server the line starts: this one does not take the sockets of the site"
    with site.client("/ws/chat/", look, max_size=None) as anna:
        message = {"message": word()}
        anna.send(message)
        anna.expect(message, "your own answer: the chat is as it was")
        with telling("2,000,000 bytes", "an answer"):
            anna.send(frame := frame_of(2_000_000))
            anna.expect(frame, "the two limits, of a message and of a frame: the smaller decides")
        with telling("3,000,000 bytes", "the end of the connection"):
            anna.send(frame_of(3_000_000))
            anna.expect_close(1006, "the limits: this frame is too large, and got in")
    path = f"/{word()}/"
    site.page(path, "whether pages are still served", 404)
    log = site.folder / "access.log"
    look = "the option that names the file of the access log"
    if not log.is_file():
        raise NotYet(look, got="no file `access.log`", expected="the access log")
    if path not in log.read_text(encoding="utf-8"):
        raise NotYet(look, sent=f"GET {path}", got="nothing of it in `access.log`")


def frame_of(size: int) -> str:
    return json.dumps({"message": word().ljust(size - len('{"message": ""}'), "x")})


@contextlib.contextmanager
def telling(size: str, expected: str) -> Iterator[None]:
    """Let a NotYet tell what a frame is like, instead of the frame."""
    try:
        yield
    except NotYet as problem:
        problem.sent, problem.expected = f"a text frame of {size}", expected
        problem.got = re.sub("x{9,}…?", "xxx…", shown(problem.got))
        raise


def command_in_procfile(site: Site) -> str:
    """Return what `Procfile` says after `web:`."""
    file = site.folder / "Procfile"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    for line in text.splitlines():
        name, _, command = line.partition(":")
        if name.strip() == "web" and command.strip():
            return command.strip().removeprefix("python -m ")  # the same daphne
    look = "`Procfile`: one line of it begins with `web:`, and then comes the command"
    raise NotYet(look, got=text or "an empty file", expected="web: daphne …")


def check_7_2(site: Site) -> None:
    name, text = word(), f"/* {word()} */"
    (site.folder / f"myapp/static/myapp/{name}.css").write_text(text, encoding="utf-8")
    with environment(DJANGO_DEBUG="1"):
        site.serve()
    goes_on(site, "with DEBUG")
    look = "`urlpatterns`: does it have an address for static files?"
    site.page("/static/myapp/site.css", look)
    path = f"/static/myapp/{name}.css"
    answer = site.page(path, "whether every file is found, also one that is new")
    if answer.text != text:
        look = "what is served at this address"
        raise NotYet(look, sent=f"GET {path}", got=answer.text, expected=text)
    site.page("/static/admin/css/base.css", "whether the files of every app are found, not of one")
    site.page(f"/static/myapp/{word()}.css", "what becomes of a file that is not there", 404)
    with environment(DJANGO_DEBUG="0"):
        site.serve()
    goes_on(site, "without DEBUG")
    look = "what your code does without `DEBUG`: in production, static files are not its business"
    site.page("/static/myapp/site.css", look, 404)
    site.page("/static/admin/css/base.css", look, 404)


def goes_on(site: Site, when: str) -> None:
    """Raise NotYet unless pages and sockets are served."""
    site.page("/chat/", f"whether the pages are all still in `urlpatterns`, {when}")
    with site.client("/ws/chat/", f"what has become of the sockets, {when}") as anna:
        message = {"message": word()}
        anna.send(message)
        anna.expect(message, f"what has become of the chat, {when}")


@contextlib.contextmanager
def environment(**values: str) -> Iterator[None]:
    """Let the servers that start meanwhile find these environment variables."""
    before = os.environ.copy()
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def check_7_3(site: Site) -> None:
    site.serve()
    first, second, third, last = [word() for _ in range(4)]
    written = [first, second, third, third, last]  # the same text twice is two notes
    with notebook(site) as anna, notebook(site) as ben:
        write(anna, first)
        write(ben, second)
        write(anna, third)
        write(ben, third)
        look = "when a note is written: it counts from `noted` on, not only when its writer leaves"
        lost = "what becomes of the notes that are there when another one is written"
        read(site, written[:4], "Anna and Ben have written, and are still there", look, lost)
        anna.close()
        look = "what happens to the notes of somebody who leaves"
        read(site, written[:4], "Anna has left", look)
        write(ben, last)
        if noted_in_vain(site, ben, note := word()):
            written.append(note)  # it is kept elsewhere, or
            look = "what comes first: `noted` is a promise, so a note is kept before it is answered"
            read(site, written, "`notes.txt` could not be written for a moment", look)
        site.server.end()
    site.serve()
    look = "what is left of a note when the server has stopped: only what is in a file"
    read(site, written, "the server has been stopped and started", look)


def notebook(site: Site) -> AbstractContextManager[Client]:
    return site.client("/ws/notes/", "whether `connect` accepts, and what it does besides")


def write(client: Client, note: str) -> None:
    client.send(note)
    client.expect("noted", "what `receive` answers", (note, "the answer: it is `noted`"))


def noted_in_vain(site: Site, client: Client, note: str) -> bool:
    """Send a note while `notes.txt` cannot be written. Return whether `noted` comes."""
    file, aside = site.folder / "notes.txt", site.folder / "notes.aside"
    site.events()  # it is done with the note before
    with contextlib.suppress(FileNotFoundError):
        file.rename(aside)
    file.mkdir()
    client.send(note)
    answer = None
    with contextlib.suppress(NotYet):  # silence, or the end of the connection
        answer = client.receive("whether it is answered")
    site.forgive()  # once it is done with this note
    file.rmdir()
    if aside.exists():
        aside.rename(file)
    return answer == "noted"


def read(site: Site, notes: list[str], when: str, look: str, lost: str | None = None) -> None:
    """Raise NotYet unless a new client is sent these notes and nothing else.

    lost: what to look at where only some of them come, if that differs from `look`.
    """
    with notebook(site) as carla:
        site.events()
        carla.websocket.ping().wait(WAIT)  # frames keep their order: what was sent is here now
        frames = []
        with contextlib.suppress(TimeoutError, ConnectionClosed):
            while True:
                frames.append(carla.websocket.recv(timeout=0))
    if len(frames) > len(notes):
        look = "how often a note is written"
    elif sorted(frames) == sorted(notes):
        look = "the order: the oldest note first"
    elif "".join(map(str, frames)).replace("\n", "") == "".join(notes):
        look = "the frames: one for each note, with its text and nothing else"
    elif frames == list(dict.fromkeys(notes)):
        look = "what becomes of a text that is sent twice: it is two notes"
    elif frames and lost and frames != notes[: len(frames)]:
        look = lost
    if frames != notes:
        raise NotYet(look, sent=f"GET /ws/notes/, when {when}", got=frames, expected=notes)
