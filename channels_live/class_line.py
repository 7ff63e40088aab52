"""The line from this process to the board of a class, if the learner has joined one.

It runs in a thread of its own. What it has to tell waits in a file until the board acknowledges it:
a board that is away, slow or wrong costs a check nothing but a word.
"""

import asyncio
import contextlib
import json
import logging
import os
import random
import threading
import time
from typing import Any

from channels_live import membership
from channels_live.outcome import Outcome, Text
from channels_live.progress import NOT_ATTEMPTED
from channels_live.shell import shell
from channels_live.trouble import in_words
from channels_live.workspace import LessonError

LAST = 1.0  # seconds that a terminal's command waits at its end for what is not sent yet
_ENDED = {1000, 1008, *range(4400, 4500)}  # close codes after which a client does not come back
_FAULTS = (OSError, LessonError, ValueError, LookupError, TypeError, AttributeError)  # of the file


class Line:
    """The line of this process. There is one, LINE.

    exercises: numbers → what shows in the notebook what comes for them. refused: why the board has
    turned this learner away, or None.
    """

    def __init__(self) -> None:
        self.exercises: dict[str, Any] = {}
        self.refused: str | None = None
        self.name = ""
        self.failed = False  # the last attempt to connect, or the connection
        self.left = threading.Event()
        self.connected = threading.Event()
        self.answered = threading.Event()  # the board has, or it is known that it does not
        self.idle = threading.Event()  # nothing waits to be sent
        self._said: list[dict[str, Any]] = []  # to be sent, besides reports
        self._thread: threading.Thread | None = None
        self._process = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None
        self._ended = False

    def begin(self) -> None:
        """Connect, if the learner has joined, and this process is not connected."""
        if self._process != os.getpid():  # a fork has no thread of its parent's
            self.__init__()  # type: ignore[misc]
        if self._thread and self._thread.is_alive():
            self.wake()
        elif membership.read():
            self.idle.clear()
            self._thread = threading.Thread(target=self._run, name="class", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Send what there is to send."""
        self.idle.clear()
        if self._loop and self._wake:
            with contextlib.suppress(RuntimeError):  # it has just ended
                self._loop.call_soon_threadsafe(self._wake.set)

    def end(self) -> None:
        """Close the line for good."""
        self._ended = True
        self.wake()

    def say(self, request: dict[str, Any]) -> None:
        """Send this once, as soon as there is a connection."""
        self._said.append(request)
        self.begin()

    # --- in the thread

    def _run(self) -> None:
        with contextlib.suppress(*_FAULTS):  # what answers may be no board at all
            asyncio.run(self._stay())
        self.failed = True
        self.connected.clear()
        self.answered.set()
        self._loop = self._wake = None

    async def _stay(self) -> None:
        from websockets import connect
        from websockets.exceptions import ConnectionClosed, InvalidURI, WebSocketException

        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        quiet = logging.getLogger("channels_live.class")  # and a timeline hears nothing of it
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False
        wait = 0.5
        while (state := membership.read()) and not self._ended:
            code, since = 1006, time.monotonic()
            try:
                address = f"{state['address']}/ws/learner/"
                async with connect(address, proxy=None, logger=quiet, max_size=2**20) as websocket:
                    code = await self._talk(websocket, state)
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else 1006
            except InvalidURI:
                self.refused = f"{state['address']} is no address of a board"
                return
            except (OSError, WebSocketException, EOFError):
                pass
            self.failed = True
            self.connected.clear()
            self.answered.set()
            if code in _ENDED and _is_of(state["key"]):
                self.refused = self.refused or "it has closed the line"
                return
            wait = 0.5 if time.monotonic() - since > 5 else min(2 * wait, 15.0)
            await asyncio.sleep(wait * random.uniform(0.5, 1))  # not all learners at once

    async def _talk(self, websocket: Any, state: membership.State) -> int:
        """Say who is here, then all that waits; take what comes. Return the close code."""
        known = {name: state[name] for name in ("code", "key", "name", "after")}
        await websocket.send(json.dumps({"do": "join", **known}))
        sender = None
        try:
            async for frame in websocket:
                answer = json.loads(frame)
                kind = answer["is"]
                if kind == "joined":
                    self.name, self.refused, self.failed = answer["name"], None, False
                    self.connected.set()
                    self.answered.set()
                    sender = asyncio.create_task(self._send(websocket, state["key"]))
                elif kind == "saved":
                    membership.saved(answer["number"], state["key"])
                    self.wake()
                elif kind == "hint":
                    self._take(answer, state["key"])
                elif kind == "left":
                    self.refused = "you have left the class"
                    self.left.set()
                elif kind == "error" and not self.connected.is_set():
                    self.refused = answer["reason"]
                    self.answered.set()
        finally:
            if sender:
                sender.cancel()
        return websocket.close_code or 1006

    async def _send(self, websocket: Any, key: str) -> None:
        assert self._wake
        sent = 0  # the greatest number on this connection; what was cut off is sent on the next
        while True:
            self._wake.clear()
            state = membership.read()
            if state and state["key"] != key:  # another class, meanwhile: nothing of it goes here
                await websocket.close()
                return
            while self._said:
                await websocket.send(json.dumps(self._said[0]))
                del self._said[0]
            waiting = membership.reports(state or {"works": {}})
            for report in waiting:
                if report["number"] > sent:
                    await websocket.send(json.dumps(report))
                    sent = report["number"]
            if not waiting and not self._said:
                self.idle.set()
            await self._wake.wait()
            if self._ended:
                await websocket.close()

    def _take(self, push: dict[str, Any], key: str) -> None:
        text = membership.take(push, key)
        place = self.exercises.get(push["exercise"])
        if text and place:
            words = f"From your instructor, for {push['exercise']}: {text}"
            with contextlib.suppress(Exception):  # of a notebook that has just been closed
                place.update(_in_notebook(membership.sent_for(push["exercise"])))
                _stage().notify(words)


LINE = Line()


# --- what the classroom calls: none of it fails, or waits


def opened(exercise: str, state: str, hints: int) -> None:
    """Tell the board, if there is one, that the learner is on an exercise."""
    if not membership.path().exists():
        return
    with contextlib.suppress(*_FAULTS):
        membership.note(exercise, state=state, hints=hints)
        LINE.begin()
        if shell():
            from IPython.display import display

            sent = membership.sent_for(exercise)
            LINE.exercises[exercise] = display(_in_notebook(sent), display_id=True)
            _stage().ready_to_notify()


def begin_check() -> None:
    """Connect while a check runs, so that nobody waits for it afterwards."""
    if membership.path().exists():
        with contextlib.suppress(*_FAULTS):
            LINE.begin()


def checked(outcome: Outcome, hints: int) -> None:
    """Tell the board, if there is one, what a check has found; add what came from it."""
    if not membership.path().exists():
        return
    message = "\n".join(f"{label}: {text}" for label, text in outcome.details.items())
    try:
        number = outcome.number
        tried = outcome.state != NOT_ATTEMPTED
        membership.note(number, tried=tried, state=outcome.state, hints=hints, message=message)
        LINE.begin()
        if LINE.refused:
            outcome.advice["class"] = f"the board is not told: {LINE.refused}"
        elif LINE.failed:
            outcome.advice["class"] = "the board does not answer; it is told when it does"
        if sent := membership.sent_for(number):
            outcome.advice["from your instructor"] = sent
    except _FAULTS as error:
        said = in_words(error) if isinstance(error, OSError) else str(error)
        outcome.advice["class"] = f"the board is not told: {said}"


def hinted(exercise: str, hints: int) -> None:
    """Tell the board, if there is one, that the learner has had so many hints."""
    if membership.path().exists():
        with contextlib.suppress(*_FAULTS):
            membership.note(exercise, hints=hints)
            LINE.begin()


def finish() -> None:
    """Wait a moment, at the end of a terminal's command, for what is not sent yet."""
    if LINE._thread and LINE._thread.is_alive():
        LINE.idle.wait(LAST)


def restart() -> None:
    """Let a new line begin, with what is written down now."""
    global LINE
    old, LINE = LINE, Line()
    old.end()
    LINE.exercises = old.exercises
    LINE.begin()


def _is_of(key: str) -> bool:
    """Return whether the learner is in the class still where they have this key."""
    return (membership.read() or {"key": key})["key"] == key


def _stage() -> Any:
    from channels_live.stage.stage import STAGE  # which a terminal does without

    return STAGE


def _in_notebook(sent: str) -> Text:
    words = f"**From your instructor**\n{sent}" if sent else ""
    return Text(words, words.replace("\n", "\n\n"))
