"""The kernel's end of the tap: gathers what the processes of one server tell (see `tap`)."""

import contextlib
import json
import secrets
import socket
import threading
import time

from channels_live.tap import SETTLE_LIMIT


class Record:
    """The events of one server, from all of its processes.

    `events` is a list of dicts as `channels_live.tap` describes them, each with the number of its
    `process` added. `changed` is a condition that is notified after every event and whenever a
    process comes or goes. Closing the record (`closed` is then true) ends every process that is
    connected to it.
    """

    def __init__(self):
        self.events = []
        self.changed = threading.Condition()
        self.closed = False
        self._settled = {}  # connection → the last request it has answered
        self._request = 0
        self._token = secrets.token_hex(16).encode()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"{self._listener.getsockname()[1]} {self._token.decode()}"
        threading.Thread(target=self._accept, name="record", daemon=True).start()

    @property
    def connected(self):
        """Whether any process of the server is connected."""
        return bool(self._settled)

    @property
    def ended(self):
        """Whether the record is closed and nothing more can come."""
        return self.closed and not self._settled

    def settle(self, timeout=SETTLE_LIMIT + 5):
        """Wait until the server has nothing in hand and has told everything.

        timeout: how long at the most, in seconds.
        """
        with self.changed:
            self._request += 1
            for connection in self._settled:
                with contextlib.suppress(OSError):
                    connection.sendall(b"%d\n" % self._request)
            self.changed.wait_for(
                lambda: all(number >= self._request for number in self._settled.values()),
                timeout=timeout,
            )

    def wait_for_end(self, timeout):
        """Wait until every process has disconnected, for `timeout` seconds at the most."""
        with self.changed:
            self.changed.wait_for(lambda: not self._settled, timeout=timeout)

    def close(self):
        """Hang up: each process then ends itself."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # Linux needs it to wake who accepts
        self._listener.close()
        with self.changed:
            self.closed = True
            self.changed.notify_all()
            for connection in self._settled:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)  # it may still tell how it ends

    def _accept(self):
        process = 0
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed
            process += 1
            threading.Thread(target=self._read, args=(connection, process), daemon=True).start()

    def _read(self, connection, process):
        with connection, connection.makefile("rb") as lines:
            try:
                if not secrets.compare_digest(lines.readline().strip(), self._token):
                    return
                with self.changed:
                    if self.closed:
                        return  # a process that started too late
                    self._settled[connection] = 0
                    self.changed.notify_all()
                for line in lines:
                    self._add(json.loads(line), connection, process)
            except (OSError, ValueError):
                pass  # the process was killed, perhaps in the middle of a line
            finally:
                with self.changed:
                    self._settled.pop(connection, None)
                    self.changed.notify_all()

    def _add(self, event, connection, process):
        with self.changed:
            if event["kind"] == "settled":
                self._settled[connection] = max(self._settled[connection], event["number"])
            else:
                event["process"] = process
                self.events.append(event)
            self.changed.notify_all()


def deadline(seconds):
    """Return a function that tells how many of `seconds` are left, never less than 0."""
    end = time.monotonic() + seconds
    return lambda: max(0.0, end - time.monotonic())
