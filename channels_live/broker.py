"""The learner's own broker, where there is one: it is used in place of the one of the lesson."""

import os

from channels_live.server import BROKERS, ServerError

own_address = os.environ.get("REDIS_URL")  # as it was before a lesson has set it


def starts_broker(command):
    """Tell whether a command starts a broker."""
    return command.partition(" ")[0] in BROKERS


class OwnBroker:
    """A broker that the learner has started, and named in REDIS_URL. It stands in for a Server.

    command: what the lesson would have started.
    """

    running = False  # nothing that a lesson could stop
    typed_port = None

    def __init__(self, command):
        self.command = command
        print(f"Not running: {command}\nREDIS_URL names a broker of your own. It is used instead.")

    def url(self, path="/"):
        """Return its address."""
        return f"{own_address.rstrip('/')}{path}"

    def stop(self):
        """Raise ServerError: only who has started it can stop it."""
        raise ServerError("This broker is your own. Stop it yourself, then run the next cell.")

    def restart(self):
        """Raise ServerError: only who has started it can start it again."""
        raise ServerError("This broker is your own. Start it yourself, then run the next cell.")
