"""The kernel's end of the tap: gathers what the processes of one server tell (see `tap`)."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from channels_live.shell import ports_of_loop
from channels_live.tap import SETTLE_LIMIT
from channels_live.tap.batches import next_events
from channels_live.tap.events import fault

ANSWER_LIMIT = 2.5  # seconds in which a process shows that it is alive
TOKEN_LIMIT = 5.0  # seconds in which it says who it is
ARRIVAL_LIMIT = 1.0  # seconds that anybody waits for it to say so; our own say it at once
MOST_STRANGERS = 16  # that have not said it yet; the oldest of more is hung up on
MOST_EVENTS = 1_000_000  # of one server
_records: weakref.WeakSet[Record] = weakref.WeakSet()  # those of this process


@dataclass(frozen=True)
class Settled:
    """What the processes of a server have answered.

    answered: each has shown all the time that it is alive; one that is stopped, or hangs in a call
        that Python cannot interrupt, does not.
    quiet: each has answered, and has nothing left in hand.
    pending: something of the project's own may yet act by itself, such as a timer. It means
        something only where `quiet` is true. False is certain; in doubt it is True.
    """

    answered: bool
    quiet: bool
    pending: bool


@dataclass
class _Answer:
    """What one process has answered to one request."""

    heard: float  # when it was asked, or last showed that it is alive
    alive: bool = False
    settled: bool = False
    quiet: bool = False
    pending: bool = True

    def limit(self) -> float:
        """Return how many seconds it is still waited for if it stays silent."""
        return 0.0 if self.settled else max(0.0, self.heard + ANSWER_LIMIT - time.monotonic())


class Record:
    """The events of one server, from all of its processes.

    `events` is a list of dicts as `channels_live.tap.events` describes them, each with the number
    of its `process` added. `changed` is a condition that is notified after every event and whenever
    a process comes or goes; whoever reads or changes anything here holds it. Closing the record
    (`closed` is then true) hangs up on all of them. `address` is what
    `channels_live.tap.install` needs.

    Its port is open to every program of this computer. So a stranger gets a few seconds and bytes
    to say the token, and what a process tells is taken only if it is in the vocabulary.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.changed = threading.Condition()  # re-entrant
        self.closed = False
        self._ending = False  # somebody ends the server
        self._processes: set[socket.socket] = set()  # those that have said who they are
        self._newest = 0  # the number of the process that said it last
        self._strangers: deque[socket.socket] = deque()
        self._queue = threading.Lock()  # held by the one of us who stands in the port's queue
        self._requests: dict[int, dict[socket.socket, _Answer]] = {}  # those that somebody awaits
        self._request = 0
        self._token = secrets.token_hex(16).encode()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = {self._listener}  # all that are open; changed by single operations only
        self.address = f"{self._listener.getsockname()[1]} {self._token.decode()}"
        _records.add(self)
        threading.Thread(target=self._accept, name="record", daemon=True).start()

    @property
    def connected(self) -> bool:
        """Whether any process of the server is connected."""
        return bool(self._processes)

    @property
    def ended(self) -> bool:
        """Whether the record is closed and nothing more can come."""
        return self.closed and not self._processes

    def settle(
        self, timeout: float = SETTLE_LIMIT + 5.0, patience: float = SETTLE_LIMIT
    ) -> Settled:
        """Wait until the server has nothing in hand and has told everything.

        timeout: how long at the most, in seconds; a process that does not answer at all is waited
            for no longer than ANSWER_LIMIT.
        patience: give up after so many seconds in which a process has still something in hand, but
            tells nothing of it.

        Clients that live in the event loop of this thread cannot answer meanwhile: nothing that
        they would have to do is waited for.
        """
        left = deadline(timeout)
        if timeout > 0:
            self._let_in(min(timeout / 2, ARRIVAL_LIMIT))
        absent = "".join(f" {port}" for port in sorted(ports_of_loop()))
        with self.changed:
            self._request += 1
            number = self._request
            now = time.monotonic()
            answers = {process: _Answer(now) for process in self._processes}
            self._requests[number] = answers  # one that disconnects is taken out of it
            for process in list(answers):
                with contextlib.suppress(OSError):
                    process.sendall(f"{number} {patience}{absent}\n".encode())
            # until all that are alive have settled
            try:
                while limits := [*filter(None, (answer.limit() for answer in answers.values()))]:
                    if not left():
                        break
                    self.changed.wait(min(left(), *limits))
            finally:
                del self._requests[number]
            return Settled(
                answered=all(
                    answer.settled or answer.alive and answer.limit() for answer in answers.values()
                ),
                quiet=all(answer.quiet for answer in answers.values()),
                pending=any(answer.pending for answer in answers.values()),
            )

    def _let_in(self, timeout: float) -> None:
        """Wait until all that have connected by now have said who they are.

        A forked process connects when it has something to tell, perhaps just before we ask, and
        may still stand in the queue of the port then. Whoever comes last in that queue, and is
        hung up on because it says nothing right, knows that all before it have been let in.
        """
        left = deadline(timeout)
        if not self._queue.acquire(timeout=timeout):
            return
        try:
            with socket.create_connection(self._listener.getsockname(), timeout) as last:
                last.sendall(b"\n")
                last.recv(1)
        except OSError:
            pass  # it is closed, or too many files are open
        finally:
            self._queue.release()
        arriving = set(self._strangers)
        with self.changed:
            self.changed.wait_for(lambda: arriving.isdisjoint(self._strangers), left())

    def wait_for_end(self, timeout: float) -> None:
        """Wait until every process has disconnected, for `timeout` seconds at the most."""
        left = deadline(timeout)
        self._let_in(timeout / 2)
        with self.changed:
            self.changed.wait_for(lambda: not self._processes, timeout=left())

    def expect_end(self) -> None:
        """Take it as meant that a process may be killed from now on."""
        self._ending = True

    def close(self) -> None:
        """Hang up: what a process still tells of its end is heard, and no other is let in."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # Linux needs it to wake who accepts
        self._listener.close()
        self._sockets.discard(self._listener)
        with self.changed:
            self.closed = True
            self.changed.notify_all()
            for process in self._processes:
                with contextlib.suppress(OSError):
                    process.shutdown(socket.SHUT_WR)  # it may still tell how it ends

    def _accept(self) -> None:
        while True:
            try:
                process, _ = self._listener.accept()
            except OSError as error:
                if self.closed or error.errno not in (errno.EMFILE, errno.ENFILE):
                    return
                time.sleep(0.05)  # too many files are open; another time
                continue
            self._sockets.add(process)
            self._strangers.append(process)
            if len(self._strangers) > MOST_STRANGERS:
                with contextlib.suppress(OSError, IndexError):
                    self._strangers.popleft().shutdown(socket.SHUT_RDWR)
            try:
                threading.Thread(target=self._read, args=(process,), daemon=True).start()
            except RuntimeError:  # no more threads
                self._forget(process)
                process.close()

    def _read(self, process: socket.socket) -> None:
        ended, number = False, 0
        with process, process.makefile("rb") as stream:
            try:
                process.settimeout(TOKEN_LIMIT)
                said = stream.readline(len(self._token) + 2).strip()
                if not secrets.compare_digest(said, self._token):
                    return
                process.settimeout(None)
                with self.changed:
                    if self.closed:
                        return  # a process that started too late
                    with contextlib.suppress(ValueError):
                        self._strangers.remove(process)
                    self._processes.add(process)
                    self._newest += 1
                    number = self._newest
                    self.changed.notify_all()
                while (events := next_events(stream)) != []:
                    if events is None or any(map(fault, events)):
                        return self._add_gap(number, "failed", "what it tells cannot be read")
                    ended = ended or any(event["kind"] == "exit" for event in events)
                    self._add(events, process, number)
            except OSError:
                pass  # the process was killed
            finally:
                self._forget(process)
                with self.changed:
                    known = process in self._processes
                    self._processes.discard(process)
                    for answers in self._requests.values():
                        answers.pop(process, None)
                    if known and not (ended or self._ending or self.closed):
                        self._add_gap(number, "killed", None)
                    self.changed.notify_all()

    def _forget(self, process: socket.socket) -> None:
        self._sockets.discard(process)
        with contextlib.suppress(ValueError):
            self._strangers.remove(process)

    def _add(self, events: list[dict[str, Any]], process: socket.socket, number: int) -> None:
        with self.changed:
            for event in events:
                if event["kind"] in ("asked", "settled"):
                    # nobody may wait for it any more
                    answer = self._requests.get(event["number"], {}).get(process, _Answer(0.0))
                    answer.alive, answer.heard = True, time.monotonic()
                    if event["kind"] == "settled":
                        answer.settled = True
                        answer.quiet, answer.pending = event["quiet"], event["pending"]
                elif len(self.events) < MOST_EVENTS:
                    event["process"] = number
                    self.events.append(event)
                    if len(self.events) == MOST_EVENTS:
                        self._add_gap(number, "full", None)
            self.changed.notify_all()

    def _add_gap(self, number: int, why: str, detail: str | None) -> None:
        gap = {"kind": "gap", "at": time.monotonic(), "why": why, "detail": detail}
        with self.changed:
            self.events.append({**gap, "process": number})
            self.changed.notify_all()

    def _leave_to_parent(self) -> None:
        """Close our copies of its sockets in a forked child, where no thread of ours runs.

        Otherwise a child that outlives the kernel would keep its servers from noticing its end.
        """
        for open_socket in self._sockets:
            with contextlib.suppress(OSError):
                os.close(open_socket.detach())  # close() would wait for the file made of it
        self._sockets, self._processes, self.closed = set(), set(), True
        # another thread may have held them
        self.changed, self._queue = threading.Condition(), threading.Lock()


def _leave_all_to_parent() -> None:
    for record in list(_records):
        record._leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all_to_parent)


def deadline(seconds: float) -> Callable[[], float]:
    """Return a function that tells how many of `seconds` are left, never less than 0."""
    end = time.monotonic() + seconds
    return lambda: max(0.0, end - time.monotonic())
