"""What the visitors of pages beside the notebook are called.

A page's socket reaches the site through Jupyter's server. That tells the kernel from which port it
comes, so that the conversation can say "Anna" instead of "client 3".
"""

import json
import secrets
import socket
import threading
from functools import cached_property
from typing import Any

from channels_live.sends import SENDS

_LONGEST = 1000  # bytes


class Visitors:
    """Hears, on this computer, from which port a visitor comes."""

    @cached_property
    def address(self) -> dict[str, Any]:
        """The port to tell it to, and a token that only who is asked to tell it knows."""
        token = secrets.token_hex(16)
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind(("127.0.0.1", 0))
        threading.Thread(
            target=self._listen, args=(listener, token), name="visitors", daemon=True
        ).start()
        return {"port": listener.getsockname()[1], "token": token}

    def _listen(self, listener: socket.socket, token: str) -> None:
        while True:
            try:
                told = json.loads(listener.recv(_LONGEST))
                if secrets.compare_digest(told["token"], token):
                    SENDS.name_client(int(told["port"]), str(told["name"]))
            except (ValueError, KeyError, TypeError):
                pass  # somebody else's
            except OSError:
                return
