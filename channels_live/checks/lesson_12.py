"""What is right in the exercises of lesson 12, Talk in groups."""

from contextlib import AbstractContextManager
from typing import Any

from channels_live.checks import Client, Fits, Site, at_once, word
from channels_live.checks.frames import ENDED, expect_error, has_left, read_until, send

HINTS = {
    "12.1": [
        Fits(
            "was never awaited",
            "Which call gives a coroutine that nobody awaits? Compare `connect` with the lesson's. "
            "(Once you have changed any line, the check says below its answer what the log says.)",
        ),
        Fits(
            r"No handler for message type item\.wanted",
            "The type of an event names a method, with `_` for `.`. Compare the two, word by word.",
        ),
        Fits(
            "who chooses the type|nothing else of the frame",
            'What becomes of `"type": "item.wanted"` if the client sends a `type` too? '
            'Take only what you need: `json.loads(text_data)["item"]`.',
        ),
        Fits(
            "still in the group",
            "Whoever joins must also leave: `await "
            "self.channel_layer.group_discard(self.group, self.channel_name)`. `disconnect` runs "
            "when a client leaves, but not after an exception.",
        ),
        Fits(
            "still in the group",
            "What runs in any case is a `finally` around `await super().__call__(scope, receive, "
            "send)`, as in the lesson's `RoomConsumer`.",
        ),
    ],
    "12.2": [
        "`self.visitors` is a dictionary, kept by `VisitorConsumer`: the name of a channel → the "
        "name of the visitor. Which channels belong to `to`?",
        "`self.channel_layer.send(channel, event)` puts an event into one channel. Its type is "
        "the name of a method again, and that method sends the frame.",
        "`message_in(text_data)` returns the message, or raises a ValueError with words for the "
        "client. Raise one of your own if nobody is called `to`, and you need only one `except`.",
        'Build the event yourself: `{"type": "whisper.heard", "from": self.name, "text": …}`, and '
        "write `async def whisper_heard(self, event)`.",
    ],
    "12.3": [
        "Override `receive`, and `send_history`, which `connect` calls when somebody has joined. "
        "What does a room do with a message that you do with a goal?",
        "Keep first, send second: `await Message.objects.acreate(room=self.room, text=…)`, then "
        "`group_send` with a type of your own, and a method of that name.",
        "The score is what the database says: how many of this room's messages are `home`, and how "
        "many are `away`? `[message.text async for message in Message.objects.filter(…)]`",
    ],
}


def check_12_1(site: Site) -> None:
    site.serve()
    flat, other = f"flat-{word()}", f"flat-{word()}"
    way = "the way of an item: `group_add`, `group_send`, and the method that the type names"
    only = "what goes on to the others: the item, and nothing else of the frame"
    as_json_too = 'how an item is sent: as it came, `{"item": …}`'
    chosen = "who chooses the type of the event: here the client did, because it sent one"
    with (
        _shopper(site, flat) as anna,
        _shopper(site, flat) as ben,
        _shopper(site, other) as cleo,
    ):

        def with_more(got: Any) -> bool:
            return isinstance(got, dict) and "item" in got and len(got) > 1

        def wanted(sender: Client, look: str, **more: Any) -> None:
            item = word()
            send(sender, {"item": item, **more}, anna, ben)
            for reader in (anna, ben):
                reader.expect({"item": item}, look, (with_more, only), (item, as_json_too))

        wanted(anna, way)
        wanted(ben, way)
        cleo.expect_nothing("which clients are in one group: those of the same flat")
        wanted(anna, only, shop=word())
        for kind in (word(), "send", "item.needed", "websocket.disconnect"):
            wanted(anna, chosen, type=kind)
        wanted(anna, chosen)  # who was told of a disconnect is deaf
        ben.close()
        has_left(site)
        with _shopper(site, flat) as dora:
            dora.abort()
            has_left(site)
        with _shopper(site, flat) as eva:
            eva.send("not json")  # may be answered, or end the consumer
            anna.sent = "not json, by another client"
            anna.expect_nothing("whom a frame that is not JSON concerns: only the one who sent it")
            site.forgive()
            eva.close()
            has_left(site, "a frame that is not JSON, and the end of the connection", ENDED)
        item = word()
        anna.send({"item": item})
        anna.expect({"item": item}, "whether others go on as before when somebody has left")


def check_12_2(site: Site) -> None:
    at_once(site.migrate, site.serve)
    room = word()
    anna, ben, cleo, dora, eva = (word() for _ in range(5))
    way = "the way of a whisper: which channels belong to this name, `send`, and your method"
    aloud = "who hears a whisper: it must not be said to the whole room"
    same = "who hears it if two have this name: both"
    extra = "what goes into the event: build it key by key, the type above all"
    nobody = "what the sender reads if there is nobody of this name in the room"
    wrong = "what the sender reads if the room would not take the message: `message_in` judges it"
    failed = "what the sender's consumer does with a whisper: here it has ended, and left the room"

    def somebody_left(got: Any) -> bool:
        return isinstance(got, dict) and "here" in got

    with (
        _visitor(site, room, anna) as in_anna,
        _visitor(site, room, ben) as in_ben,
        _visitor(site, room, ben) as in_ben_too,
        _visitor(site, room, cleo) as in_cleo,
        _visitor(site, word(), dora) as elsewhere,
    ):
        inside = (in_anna, in_ben, in_ben_too, in_cleo)
        _all_see([anna, ben, ben, cleo], *inside)
        _all_see([dora], elsewhere)

        said = word()
        send(in_cleo, {"message": said}, *inside)
        for reader in inside:
            reader.expect({"message": said}, "what becomes of a frame without `to`: as before")

        for more in ({}, {"type": "websocket.disconnect"}):
            text = word()
            send(in_anna, {"to": ben, "message": text, **more}, *inside)
            whisper, loud = {"from": anna, "whisper": text}, ({"message": text}, aloud)
            in_ben.expect(whisper, extra if more else way, loud, (somebody_left, failed))
            in_ben_too.expect(whisper, same, loud)
            in_cleo.expect_nothing(aloud)
            in_anna.expect_nothing("what the sender of a whisper reads: nothing")
        text = word().ljust(500, ".")  # the longest
        send(in_cleo, {"to": anna, "message": text}, in_anna)
        in_anna.expect(
            {"from": cleo, "whisper": text}, "whom a whisper is from, and how long it may be"
        )

        for name in (word(), dora, [ben]):
            send(in_anna, {"to": name, "message": word()}, *inside, elsewhere)
            expect_error(in_anna, nobody)
        elsewhere.expect_nothing("who can be whispered to: only those in the same room")
        for message in (" ", "x" * 501, 7):
            send(in_anna, {"to": ben, "message": message}, *inside)
            expect_error(in_anna, wrong)
        for reader in (in_ben, in_ben_too, in_cleo):
            reader.expect_nothing("who hears of an error: nobody but the one who sent the frame")

        in_cleo.abort()
        _all_see([anna, ben, ben], in_anna, in_ben, in_ben_too)
        in_anna.send({"to": cleo, "message": word()})
        expect_error(
            in_anna, "what the sender reads if somebody of this name has been here, but has left"
        )

        with _visitor(site, room, eva) as new:
            kept = "what is in the history: no whisper, so none may be kept in the database"
            new.expect({"message": said}, kept)
            new.expect({"here": [eva]}, kept)
            _all_see([anna, ben, ben, eva], in_anna, in_ben, in_ben_too, new)
            text = word()
            send(in_anna, {"to": eva, "message": text}, new)
            new.expect({"from": anna, "whisper": text}, "whether newcomers can be whispered to")


def check_12_3(site: Site) -> None:
    at_once(site.migrate, site.serve)
    path = f"/ws/score/{word()}/"
    way = "the way of a goal: it is kept, the group is told, and each member sends the score"
    joins = "what a newcomer reads first: the score as it is now"
    wrong = "what the sender reads if a frame tells of no goal, and whom it concerns"
    match = "which goals are counted, and who is told: those of the same match"
    chosen = "what goes into the event: its type must be yours, whatever the frame has"
    lost = "whether all goals are counted that come at the same time"
    again = "where the score is kept: here the server was started anew"
    score = {"home": 0, "away": 0}
    with (
        site.client(path) as anna,
        site.client(path) as ben,
        site.client(f"/ws/score/{word()}/") as cleo,
    ):

        def goal(sender: Client, side: str, **more: Any) -> None:
            score[side] += 1
            send(sender, {"goal": side, **more}, anna, ben)

        for client in (anna, ben, cleo):
            client.expect(score, joins)
        for sender, side in ((anna, "home"), (ben, "away"), (ben, "away")):
            goal(sender, side)
            for client in (anna, ben):
                client.expect(score, way)
        cleo.expect_nothing(match)
        for frame in ("not json", "[1]", "{}", {"goal": word()}, {"goal": ["home"]}):
            anna.send(frame)
            expect_error(anna, wrong)
        ben.expect_nothing(wrong)
        goal(anna, "home", type="websocket.disconnect")
        for client in (anna, ben):
            client.expect(score, chosen)
        for _ in range(8):
            goal(anna, "home")
            goal(ben, "away")
        read_until(score, lost, anna, ben)
        with site.client(path) as dora:
            dora.expect(score, joins)
            dora.abort()
            has_left(site)
        cleo.send({"goal": "home"})
        cleo.expect({"home": 1, "away": 0}, match)
    site.serve()
    with site.client(path) as eva:
        eva.expect(score, again)


def _shopper(site: Site, flat: str) -> AbstractContextManager[Client]:
    return site.client(f"/ws/shopping/{flat}/")


def _visitor(site: Site, room: str, name: str) -> AbstractContextManager[Client]:
    return site.client(f"/ws/whisper/{room}/?name={name}")


def _all_see(names: list[str], *clients: Client) -> None:
    """Let each client read until it sees that these are here."""
    look = "what your consumer leaves of `VisitorConsumer`: all of it must still work"
    read_until({"here": sorted(names)}, look, *clients)
