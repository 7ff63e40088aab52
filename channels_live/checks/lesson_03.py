"""What is right in the exercises of lesson 3, Configure ASGI."""

from typing import Any

from channels_live.checks import ORIGIN, Fits, NotYet, Site, number, word

FRONT_END = "https://app.board.example"
ELSEWHERE = "https://evil.example"
GUARD = "what stands before the consumer: 403 is the guard's answer, 500 an exception"
TOO_EARLY = ("ImproperlyConfigured", "AppRegistryNotReady")  # a model was imported

HINTS = {
    "3.1": [
        'Try it: `ex1.start("daphne -p 8000 myproject.asgi:application")`. '
        "Read the last lines of the log from the bottom up, to the file where it began.",
        Fits(
            "Apps aren't loaded yet|settings are not configured",
            "`asgi.py` imports the routes, and with them a model. What has to be called before "
            "that?",
        ),
        Fits(
            "scope type",
            "When `daphne` starts, let a client knock: the next exception says `scope type`. "
            "Compare it with the keys of `ProtocolTypeRouter`.",
        ),
        "`setdefault`, then `get_asgi_application()`, then `from myapp.routing import …`; "
        'and the key is `"websocket"`.',
    ],
    "3.2": [
        "The last `asgi.py` of the lesson is nearly it. Only its guard is another one now.",
        "`OriginValidator` wants two things, in this order: what it guards, and a list.",
        "A list with all of another one and one thing more is `[*settings.ALLOWED_HOSTS, …]`. "
        "With `https://` before it, a host is let in over https only, and from no other port.",
        '`"websocket": OriginValidator(AuthMiddlewareStack(URLRouter(…)), origins)`.',
    ],
    "3.3": [
        "In the lesson, guard and `AuthMiddlewareStack` stand around the whole router. "
        "They may also stand around one consumer.",
        "Begin in `asgi.py`: only a `URLRouter`, nothing around it. Then in `routing.py` "
        '`path("ws/count/", CountConsumer.as_asgi())`.',
        "The second argument of `path` may have layers, too: "
        "`AllowedHostsOriginValidator(AuthMiddlewareStack(….as_asgi()))`.",
    ],
}


def check_3_1(site: Site) -> None:
    try:
        site.serve()
    except NotYet as problem:
        if problem.error and problem.error.raised in TOO_EARLY:
            look = "the order in `asgi.py`: what has to happen before anything imports a model?"
            problem.look = look
        raise
    topics, _, _ = prepared(site)
    pages(site)
    look = "the way of a handshake through `asgi.py`, and the exception below"
    sees(site, f"AnonymousUser sees {topics} topics", look, origin=ORIGIN)
    keeps_out(site, ELSEWHERE, None)


def check_3_2(site: Site) -> None:
    host = f"{word()}.example"
    settings = site.folder / "myproject/settings.py"
    hosts = f'import os\nos.environ["DJANGO_ALLOWED_HOSTS"] = "127.0.0.1,localhost,{host}"\n'
    settings.write_text(hosts + settings.read_text("utf-8"), "utf-8")
    site.serve()
    topics, name, member = prepared(site)
    pages(site)
    for origin in (FRONT_END, ORIGIN, f"https://{host}"):
        look = f"{GUARD}. {host} was added to `ALLOWED_HOSTS`" if host in origin else GUARD
        sees(site, f"AnonymousUser sees {topics} topics", look, origin=origin)
        sees(site, f"{name} sees {topics} topics", look, origin=origin, **member)
    lookalike = f"https://{host}.evil.example"
    keeps_out(site, ELSEWHERE, None, lookalike, "https://board.example", **member)
    look = "the scheme: `https://` belongs to the origin that is let in"
    site.refused("/ws/topics/", 403, look, origin=FRONT_END.replace("https", "http"))


def check_3_3(site: Site) -> None:
    site.serve()
    topics, name, member = prepared(site)
    pages(site)
    door = (
        f"{GUARD} (`No route found`: perhaps a path begins with a slash, "
        "or a `URLRouter` stands behind a guard)"
    )
    secret = "what stands around this door: with `AuthMiddlewareStack`, it knows who asks"
    for origin in (ELSEWHERE, None, ORIGIN):
        for options in ({"origin": origin} | member, {"origin": origin}):
            with site.client("/ws/count/", door, **options) as client:
                client.expect(f"Somebody sees {topics} topics", secret)
    sees(site, f"AnonymousUser sees {topics} topics", door, origin=ORIGIN)
    sees(site, f"{name} sees {topics} topics", door, origin=ORIGIN, **member)
    keeps_out(site, ELSEWHERE, None, **member)


def prepared(site: Site) -> tuple[int, str, dict[str, Any]]:
    """Make the database. Return how many topics are in it, a member's name, and their cookie."""
    topics, name = number(2, 9), word()
    output = site.manage(
        "shell",
        "-c",
        f"""
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from myapp.models import Topic

call_command("migrate", verbosity=0)
for at in range({topics}):
    Topic.objects.create(title=at, slug=at)
client = Client()
client.force_login(User.objects.create_user({name!r}))
print(client.cookies["sessionid"].value)
""",
    )
    cookie = {"Cookie": f"sessionid={output.split()[-1]}"}
    return topics, name, {"additional_headers": cookie}


def pages(site: Site) -> None:
    look = 'what `asgi.py` has behind the key "http", and whether a guard stands before it'
    site.page("/", look)


def sees(site: Site, expected: str, look: str, **options: Any) -> None:
    with site.client("/ws/topics/", look, **options) as client:
        client.expect(expected, "whether `AuthMiddlewareStack` stands before the consumer")


def keeps_out(site: Site, *origins: str | None, **options: Any) -> None:
    for origin in origins:
        look = "the guard at the door: who is let in, from where"
        site.refused("/ws/topics/", 403, look, origin=origin, **options)
