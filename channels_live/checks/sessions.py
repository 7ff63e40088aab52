"""What the checks about members share: users, sessions, and log-out."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from channels_live.checks.client import Client
from channels_live.checks.site import Site

_CSRF = "a" * 32  # any token that stands in the cookie and in the header
_MAKE = """
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

call_command("migrate", verbosity=0)
for name in {names!r}:
    client = Client()
    client.force_login(User.objects.get_or_create(username=name)[0])
    print(client.cookies["sessionid"].value)
for text in {tokens!r}:
    from myapp.models import Token
    from myapp.tokens import digest_of

    user = User.objects.get(username={names!r}[0])
    Token.objects.create(user=user, digest=digest_of(text))
"""


def new_sessions(site: Site, *names: str, tokens: Sequence[str] = ()) -> list[str]:
    """Make the tables and users of these names. Return a new session's key for each.

    tokens: texts of tokens for the first of them, as lesson 17 has them.

    Raises NotYet if the project's `manage.py` fails.
    """
    code = _MAKE.format(names=names, tokens=tokens)
    output = site.manage("shell", "--verbosity", "0", "-c", code)
    return output.split()[-len(names) :]


def member(site: Site, path: str, session: str) -> AbstractContextManager[Client]:
    """Open a WebSocket with the cookie of a session. Raises NotYet if it is not accepted."""
    return site.client(path, additional_headers={"Cookie": f"sessionid={session}"})


def log_out(site: Site, look: str, session: str | None, *clients: Client) -> None:
    """Log out with a session, or without one.

    look: what to look at if that is no 302. clients: whose next NotYet will have it as sent.
    """
    cookies = f"csrftoken={_CSRF}" + (f"; sessionid={session}" if session else "")
    headers = {"Cookie": cookies, "X-CSRFToken": _CSRF}
    site.page("/accounts/logout/", look, 302, "POST", headers=headers)
    for client in clients:
        client.sent = "POST /accounts/logout/"
