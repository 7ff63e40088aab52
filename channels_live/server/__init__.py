"""Starts what one would type in a terminal, in the background; says why it failed; ends it."""

from channels_live.server.diagnosis import ServerError
from channels_live.server.server import Server

__all__ = ["Server", "ServerError"]
