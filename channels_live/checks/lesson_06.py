"""What is right in the exercises of lesson 6, Update the URLs."""

import re
from html.parser import HTMLParser

from channels_live.checks import Fits, NotYet, Site, number, word

HINTS = {
    "6.1": [
        "Who reads `urls.py`, and who reads `routing.py`? Look at the picture in the lesson again.",
        "Two files hold lines that do not belong there: `myproject/urls.py` and `myapp/urls.py`. "
        "In both, it is an address that begins with `ws/`.",
        'Take `include("myapp.routing")` out. The doorbell\'s line belongs in '
        "`myapp/routing.py`, and so does its import.",
    ],
    "6.2": [
        "Begin with the page: a line in `myapp/urls.py`, with a `TemplateView` as for the chat, "
        "and with a converter that takes letters, digits, hyphens and underscores.",
        Fits(
            "how your address names what it captures",
            "The template asks for `{{ room }}`. `TemplateView` hands over what the address has "
            "captured, by the name that it has there.",
        ),
        Fits(
            "what the script puts before data-socket|how it must begin|slash by slash",
            "The script puts scheme and host before the value of `data-socket`. What is left of "
            "`ws://127.0.0.1:8000/ws/rooms/kitchen/`?",
        ),
        '`<ul id="log" data-socket="/ws/rooms/…/"></ul>`, with `{{ room }}` in the middle.',
    ],
    "6.3": [
        Fits(
            "here the consumer is as it should be|a forgotten await|that begin with test_",
            "`myapp/test_chat.py` is your model: a method whose name begins with `test_`, a "
            "`WebsocketCommunicator` with the header `origin`, and `await` before each call of "
            "it.",
        ),
        "A client comes with `await socket.connect()`, asks with "
        '`await socket.send_to(text_data="coffee")`, and reads with `await socket.receive_from()`.',
        Fits(
            "the answer to the fifth coffee",
            "For the first mistake, five coffees for one client, and every answer compared. For "
            "the second, two clients, connected at the same time.",
        ),
        Fits(
            "how many clients your test has",
            "The second mistake: `anna` and `ben` connect. Anna has a coffee and gets `stamp 1`. "
            "Then Ben has one: what must he get?",
        ),
    ],
}
TESTS = "python manage.py test myapp.test_stamps"
CARD = """
from channels.generic.websocket import WebsocketConsumer


class StampConsumer(WebsocketConsumer):
    stamps = 0

    def connect(self):
        self.accept()

    def disconnect(self, close_code):
        {stamps} = 0

    def receive(self, text_data=None, bytes_data=None):
        if text_data != "coffee":
            return
        {stamps} += 1
        if {stamps} < {free}:
            self.send(text_data=f"stamp {{{stamps}}}")
        else:
            {stamps} = 0
            self.send(text_data="free")
"""


def check_6_1(site: Site) -> None:
    site.serve()
    pages = "every line of both `urls.py`: does it lead to a page? The log may say more, below"
    for path, status in (("/chat/", 200), ("/accounts/login/", 200), ("/admin/", 302)):
        site.page(path, pages, status)
    look = (
        "where sockets get their routes: the doorbell needs one there, "
        "which reads as that of the chat does, letter by letter"
    )
    with site.client("/ws/bell/", look) as anna:
        door = word()
        anna.send(door)
        anna.expect(f"ding at {door}", "to which consumer the route of the doorbell leads")
    with site.client("/ws/chat/", "the route of the chat, which was right") as anna:
        message = {"message": word()}
        anna.send(message)
        anna.expect(message, "to which consumer the route of the chat leads")
    for path in ("/ws/bell/", "/ws/chat/", "/ws/ws/bell/", f"/ws/{word()}/"):
        site.page(path, "which line of `urls.py` makes a page of a socket", 404)
    site.python("manage.py", "migrate", "--verbosity", "0")
    site.page("/", "whether the pages of the noticeboard are all still in `myapp/urls.py`")


def check_6_2(site: Site) -> None:
    site.serve()
    for room in ("kitchen", f"{word()}-{number()}", f"{word().title()}_{number()}"):
        path = f"/rooms/{room}/"
        page = Page(site.page(path, "the line for this page in `myapp/urls.py`").text)
        if page.heading != f"Room {room}":
            look = "what the template asks for, `room`, and how your address names what it captures"
            raise NotYet(look, sent=f"GET {path}", got=page.heading, expected=f"Room {room}")
        expected = f'data-socket="/ws/rooms/{room}/"'
        look, got = "", f'data-socket="{page.socket}"'
        if page.socket is None:
            look = "the element with the id `log`, and its attribute `data-socket`"
            raise NotYet(look, sent=f"GET {path}", got="no such attribute", expected=expected)
        if page.socket != page.socket.strip():
            look = "the spaces in `data-socket`: the script takes it as it stands"
        elif not page.socket.startswith("/") or page.socket.startswith("//"):
            look = "what the script puts before `data-socket`, and so how it must begin"
        if look:
            raise NotYet(look, sent=f"GET {path}", got=got, expected=expected)
        look = f"the address in the page, {got}: is there a socket, slash by slash?"
        with site.client(page.socket, look) as anna:
            anna.expect(f"welcome to the {room}", f"whose socket it is: the page {path} has {got}")
    for path in (f"/rooms/{word()}.{word()}/", f"/rooms/{word()}%20{word()}/"):
        site.page(path, "the converter: which characters may the name of a room have?", 404)
    look = "the end of the address: what does it let in behind the room?"
    site.page(f"/rooms/kitchen/{word()}/", look, 404)


def check_6_3(site: Site) -> None:
    # as it was laid out, also for somebody who has broken it to try, and has not mended it
    write(site, CARD.format(stamps="self.stamps", free=5))
    done, said = tests(site)
    if "Ran 0 tests" in said:
        look = "the names of your methods: Django runs those of the class that begin with `test_`"
        raise NotYet(look, sent=TESTS, got="Ran 0 tests", expected="a test")
    if done != 0:
        look = "your test: here the consumer is as it should be"
        if "was never awaited" in said:
            look = "a forgotten `await`"
        elif "JSONDecodeError" in said:
            look = "how your test reads: what the consumer sends is not JSON"
        elif "TimeoutError" in said:
            look = "what your test waits for in vain. Was its handshake accepted? `connect` tells"
        raise NotYet(look, sent=TESTS, got=failures(said), expected="OK")
    for mistake, look, card in (
        (
            "the sixth coffee is free, not the fifth",
            "the answer to the fifth coffee: compare it too",
            CARD.format(stamps="self.stamps", free=6),
        ),
        (
            "two clients at the same time share one card",
            "how many clients your test has at the same time: with one alone, a shared card looks "
            "right",
            CARD.format(stamps="StampConsumer.stamps", free=5),
        ),
    ):
        write(site, card)
        done, said = tests(site)
        if done == 0:
            if "was never awaited" in said:
                look = "a forgotten `await`: your test then compares nothing"
            sent = f"{TESTS}, with a mistake in the consumer: {mistake}"
            raise NotYet(look, sent=sent, got="OK", expected="a test that fails")


def write(site: Site, card: str) -> None:
    (site.folder / "myapp/stamps.py").write_text(card, encoding="utf-8")


def tests(site: Site) -> tuple[int, str]:
    """Run the learner's tests. Return (exit status, what they said)."""
    return site.python(*TESTS.split()[1:], "--verbosity", "0", limit=20.0)


def failures(said: str) -> str:
    """Return the lines of a run of tests that tell what failed, and why."""
    lines_told = re.findall(r"^(?:(?:FAIL|ERROR): \w+|[\w.]+(?:Error|Exception)\b.*)", said, re.M)
    if lines := re.findall(r'test_stamps\.py", line (\d+)', said):
        lines_told.append(f"in myapp/test_stamps.py, line {lines[-1]}")
    return "\n".join(dict.fromkeys(lines_told)) or said


class Page(HTMLParser):
    """What a script would find in a page: its heading, and the list's `data-socket`."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.heading, self._in_heading = "", False
        self.socket: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._in_heading = tag == "h1"
        named = dict(attributes)
        if named.get("id") == "log":
            self.socket = named.get("data-socket")

    def handle_endtag(self, tag: str) -> None:
        self._in_heading = False

    def handle_data(self, data: str) -> None:
        if self._in_heading:
            self.heading += data
