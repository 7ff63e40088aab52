"""What is right in the exercises of lesson 8, Talk over a WebSocket with WebsocketConsumer."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from channels_live.checks import Client, Fits, NotYet, Site, number, word

HINTS = {
    "8.1": [
        "The lesson's section *Watch it fail* has both troubles: what a client sees of a code "
        "that is sent before `accept()`, and what `disconnect()` may rely on.",
        Fits(
            "no attribute 'number'|whether disconnect prints its line",
            "`disconnect()` runs for each client, also where `connect()` has returned early. Give "
            "`self.number` a value in the first line that can.",
        ),
        Fits(
            "sent before accept|turned away before accept|called a second time|Socket has not been",
            "Only the robot is turned away before `accept()`. The others: `self.accept()` first, "
            "then `self.close(code=…)`, and then nothing more.",
        ),
    ],
    "8.2": [
        'What the client offers is `self.scope["subprotocols"]`, a list of texts; it may be empty.',
        'Go through your own list, `("notes.v2", "notes.v1")`, and take the first that is in the '
        "client's.",
        "`self.accept(subprotocol=self.language)` works with None too: the client is let in, and "
        "no language is agreed on.",
        "After that, and only if `self.language` is None: `self.close(code=4406)`.",
    ],
    "8.3": [
        "Set up two things in `connect()`: the album, a dict, and the title that waits for its "
        "picture. Do not forget `self.accept()`.",
        "Override `receive(self, text_data=None, bytes_data=None)`: deal with bytes yourself, and "
        "hand text on with `super().receive(text_data=text_data)`.",
        "`decode_json` is a class method that takes the text: catch ValueError there, and return "
        "something that `receive_json` does not know, such as None.",
        "In `receive_json` look before you trust: is `content` a dict, is its title a text "
        "(`isinstance(title, str)`), is that in the album? If not, `send_json` an error.",
    ],
}


def check_8_1(site: Site) -> None:
    site.serve()
    parcel, code = str(number(1000, 9999)) * 5, number(3000, 3999)  # 20 characters
    greeting = f"parcel {parcel} is on its way"
    unseen = "what a client can see of a close code that is sent before `accept()`"
    longest = "what a client with a number of 20 characters gets: it is let in"
    with site.client(f"/ws/parcel/?number={parcel}", longest) as anna:
        anna.expect(greeting, "what a client with a number is told")
        anna.expect_nothing("what else is sent to a client with a number")
        anna.close(code)
    for path, reason in [("/ws/parcel/", 4400), (f"/ws/parcel/?number={word()}", 4404)]:
        with site.client(path, unseen) as ben:
            ben.expect_close(
                reason, "the code: 4400 without a number, 4404 for what is not a number"
            )
    for long in (str(number()) * 7, word() * 3):
        robot = f"/ws/parcel/?number={long}"
        site.refused(robot, 403, "whether robots are turned away before `accept()`")
    asked = {event["conn"]: f"GET {event['path']}" for event in site.events("open")}
    only_code = (
        "what is sent to those who are turned away: nothing but the code, before or after it"
    )
    for frame in site.events("out")[1:]:  # the first is the greeting
        sent = asked[frame["conn"]]
        raise NotYet(only_code, sent=sent, got=frame.get("text"), expected="only a close code")
    for error in site.events("error"):
        look = "what `disconnect` uses: it runs also where `connect` has returned early"
        if error["type"] == "Disconnected":  # it has sent something after the code
            look = only_code
        raise NotYet(
            look,
            sent=asked.get(error["conn"]),
            got=f"{error['type']}: {error['message']}",
            expected="no exception",
        )
    for left, sent in zip((code, 4400, 4404, 1006), asked.values(), strict=False):
        if not site.server.log(contains=f"left with {left}"):
            look = "whether `disconnect` prints its line for everybody, the robot too"
            got, expected = "no such line in the log", f"… left with {left}"
            raise NotYet(look, sent=sent, got=got, expected=expected)


def check_8_2(site: Site) -> None:
    site.serve()
    v1, v2 = ["notes.v1"], ["notes.v2"]
    for offered, language in [
        (v1, "notes.v1"),
        (v2, "notes.v2"),
        ([*v1, *v2], "notes.v2"),
        ([*v2, *v1], "notes.v2"),
        ([word(), *v1, word()], "notes.v1"),
    ]:
        with client_of_notes(site, offered) as anna:
            spoken = anna.websocket.subprotocol
            if spoken != language:
                look = "which one your code picks from this list: `notes.v2` goes before `notes.v1`"
                if spoken is None:
                    look = "which one your code picks from this list, and whether `accept` is told"
                sent = f"GET /ws/notes/, offering {', '.join(offered)}"
                got = f"subprotocol {spoken}"
                raise NotYet(look, sent=sent, got=got, expected=f"subprotocol {language}")
    with client_of_notes(site, v2) as anna, client_of_notes(site, v1) as ben:
        for client, language in [(anna, "notes.v2"), (ben, "notes.v1"), (anna, "notes.v2")]:
            note = word()
            client.send(note)
            client.expect(
                {"note": note} if language == "notes.v2" else note,
                f"what `self.language` is for this client, who speaks {language}",
            )
    for offered in ([word(), "notes.v3"], []):
        with client_of_notes(site, offered) as carla:
            carla.expect_close(
                4406,
                "what happens to a client that offers neither `notes.v1` nor `notes.v2`",
                (1000, "the code: `close` was called without one"),
            )
    if site.events("error"):
        raise NotYet("what your code does after a client was refused", got="an exception")


@contextlib.contextmanager
def client_of_notes(site: Site, offered: list[str]) -> Iterator[Client]:
    look = "whether `accept` is called, and with a name that this client offers"
    with contextlib.ExitStack() as stack:
        try:
            options = {"subprotocols": offered or None}
            client = stack.enter_context(site.client("/ws/notes/", look, **options))
        except NotYet as problem:
            if problem.status == 403:
                problem.look = (
                    "what a client can see of a close code that is sent before `accept()`"
                )
            raise
        yield client


def check_8_3(site: Site) -> None:
    site.serve()
    cat, dog = word(), word()
    pictures = {cat: picture(), dog: picture()}
    with site.client("/ws/album/") as anna, site.client("/ws/album/") as ben:
        for title in pictures:
            save(anna, title, pictures[title])
        untitled = "a picture that no title waits for: a title is good for one picture"
        expect_error(anna, picture(), untitled)
        for title in (cat, dog):
            show(anna, title, pictures[title], "which bytes are kept under which title")
        bad_text = "text that is not JSON: who decodes it, and who catches the ValueError?"
        expect_error(anna, "not json", bad_text)
        for frame in ["[]", "7", "null", "{}", {word(): cat}, {"show": word()}, {"show": [cat]}]:
            look = "JSON that asks for nothing in the album: what does your code take for granted?"
            expect_error(anna, frame, look)
        for no_title in [number(), [cat], None]:
            expect_error(anna, {"save": no_title}, "the type of the title: only text will do")
            expect_error(anna, picture(), untitled)
        pictures[cat] = picture()
        save(anna, cat, pictures[cat])
        for title in (dog, cat):
            show(anna, title, pictures[title], "what else changes the album: only a picture may")
        expect_error(ben, {"show": cat}, "whose album it is: every client has one of its own")
        anna.send({"save": cat})
        anna.expect_nothing("whether a title alone gets no answer")
        expect_error(ben, picture(), "whose title it is: it must belong to one client")


def picture() -> bytes:
    return b"\xff\x00" + word().encode() * number(1, 9)


def save(client: Client, title: str, content: bytes) -> None:
    client.send({"save": title})
    client.expect_nothing("whether a title alone gets no answer")
    client.send(content)
    client.expect(
        {"saved": title, "bytes": len(content)},
        "what your code does with a binary frame that follows a title",
    )


def show(client: Client, title: str, content: bytes, look: str) -> None:
    client.send({"show": title})
    client.expect(
        content,
        look,
        (
            lambda got: isinstance(got, str) and not is_error(got),
            "the kind of frame: `self.send(bytes_data=…)`",
        ),
    )


def expect_error(client: Client, frame: Any, look: str) -> None:
    expected = 'an {"error": …} with a text'
    client.send(frame)
    answer = client.receive(look, expected)
    if not is_error(answer):
        raise NotYet(look, sent=frame, got=answer, expected=expected)
    client.expect_nothing("what follows an error: the connection stays open")


def is_error(frame: str | bytes) -> bool:
    with contextlib.suppress(TypeError, ValueError):
        return isinstance(dict(json.loads(frame)).get("error"), str)
    return False
