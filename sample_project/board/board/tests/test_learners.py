import asyncio
import json
from unittest.mock import patch

from autobahn.exception import Disconnected
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer

from board import learners, register
from board.class_hub import ClassHub, tell_all
from board.hubs import HUBS
from board.models import Learner, Work
from board.protocol import Join
from boardsite.asgi import application

from .sockets import (
    KEYS,
    PATIENCE,
    SocketTestCase,
    connected,
    learner,
    next_of,
    report,
    say,
    screen,
)


class LearnerTests(SocketTestCase):
    async def test_who_has_no_code_is_turned_away(self):
        async with connected("/ws/learner/") as socket:
            await say(socket, do="report", number=1, exercise="5.1", state="right")
            self.assertEqual((await next_of(socket, "error"))["reason"], "join first")
            await say(socket, do="join", code="wrong", key=KEYS["anna"])
            reason = (await next_of(socket, "error"))["reason"]
            self.assertEqual(reason, "that is not the code of this class")
            closed = await socket.receive_output(10)
            self.assertEqual(closed, {"type": "websocket.close", "code": learners.UNKNOWN})
        self.assertEqual(await Learner.objects.acount(), 0)

    async def test_who_goes_while_being_told_something_is_no_error(self):
        told, frames = [], asyncio.Queue()
        report = json.dumps({"do": "report", "number": 1, "exercise": "5.1", "state": "right"})
        for event in ({"type": "websocket.connect"}, {"type": "websocket.receive", "text": report}):
            frames.put_nowait(event)

        async def send(event):
            told.append(event["type"])
            if event["type"] == "websocket.send":
                frames.put_nowait({"type": "websocket.disconnect", "code": 1001})
                raise Disconnected

        scope = {"type": "websocket", "path": "/ws/learner/", "headers": []}
        await asyncio.wait_for(application(scope, frames.get, send), PATIENCE)
        self.assertEqual(told, ["websocket.accept", "websocket.send"])

    async def test_who_says_nothing_is_hung_up_on(self):
        with patch("board.learners.PATIENCE", 0.01):
            async with connected("/ws/learner/") as socket:
                closed = await socket.receive_output(10)
                self.assertEqual(closed["code"], learners.UNKNOWN)

    async def test_what_is_not_agreed_on_is_refused_with_words(self):
        async with learner("anna") as anna:
            for frame in (
                {"do": "report", "number": 1, "exercise": "5.1", "state": "great"},
                {"do": "report", "number": 1, "exercise": "<b>", "state": "right"},
                {"do": "report", "number": 1, "exercise": "5.1\n", "state": "right"},
                {"do": "report", "number": 1, "exercise": "5.1", "state": "right", "more": 1},
                {"do": "push", "exercise": "5.1", "text": "not for learners"},
            ):
                await anna.send_json_to(frame)
                self.assertTrue((await next_of(anna, "error"))["reason"])
            await anna.send_to(text_data='{"x":' + "[" * 90_000)
            self.assertIn("too deep", (await next_of(anna, "error"))["reason"])
        self.assertEqual(await Work.objects.acount(), 0)

    async def test_a_key_stays_who_it_was_and_a_name_is_somebody_s_own(self):
        async with learner("anna") as first, learner("anna") as again:
            self.assertEqual(first.joined, again.joined)
        async with connected("/ws/learner/") as other:
            await say(other, do="join", code="code", key=KEYS["ben"], name="anna")
            self.assertEqual((await next_of(other, "joined"))["name"], "anna 2")
        async with connected("/ws/learner/") as nameless:
            await say(nameless, do="join", code=" CODE ", key=KEYS["carl"])
            self.assertRegex((await next_of(nameless, "joined"))["name"], r"^[a-z]+ [a-z]+$")

    async def test_hears_only_of_itself(self):
        async with learner("anna") as anna, learner("ben") as ben:
            await report(ben, 1)
            await say(anna, do="hand", up=True, why="a question")
            row = await next_of(anna, "row", lambda row: row["hand"])
            self.assertEqual((row["name"], row["why"]), ("anna", "a question"))
            async with screen("word") as board:
                table = await next_of(board, "table")
                self.assertEqual(sorted(row["name"] for row in table["rows"]), ["anna", "ben"])
            self.assertTrue(await anna.receive_nothing(0.3))

    async def test_forgets_whoever_leaves(self):
        async with screen("word") as board, learner("anna") as anna, learner("anna") as window:
            await report(anna, 1, message="secret")
            await next_of(board, "row", lambda row: row["works"])
            await say(anna, do="leave")
            await next_of(anna, "left")
            row = await next_of(board, "row", lambda row: row["gone"])
            self.assertEqual((row["name"], row["works"]), ("", {}))
            await say(window, do="report", number=2, exercise="5.1", state="right")
            self.assertIn("has left", (await next_of(window, "error"))["reason"])
        self.assertEqual(await Work.objects.acount(), 0)

    async def test_misses_nothing_that_was_sent_while_it_was_away(self):
        async with screen("word") as board:
            async with learner("anna") as anna:
                await report(anna, 1)
                await say(board, do="push", exercise="5.1", text="first")
                hint = await next_of(anna, "hint")
            await say(board, do="push", exercise="5.1", text="second")
            self.assertEqual((await next_of(board, "pushed"))["learners"], 1)
            await say(board, do="push", exercise="5.1", name="a.py", content="print()\n")
            async with learner("anna", after=hint["number"]) as anna:
                second, third = await next_of(anna, "hint"), await next_of(anna, "hint")
                self.assertEqual((second["text"], third["name"]), ("second", "a.py"))
                await say(board, do="push", exercise="5.1", text="live")
                self.assertEqual((await next_of(anna, "hint"))["text"], "live")

    async def test_a_report_that_is_sent_again_changes_nothing(self):
        async with learner("anna") as anna:
            for _ in range(2):
                self.assertEqual(await report(anna, 7, state="right", tries=3, seconds=60), 7)
            work = await Work.objects.aget()
            self.assertEqual((work.state, work.tries), ("right", 3))
            await report(anna, 8, state="not yet", tries=4)
            work = await Work.objects.aget()
            self.assertEqual((work.state, work.tries), ("right", 4), "it stays right")
            self.assertGreaterEqual((work.until - work.since).total_seconds(), 59)

    async def test_too_many_messages(self):
        async with learner("anna") as anna:
            for _ in range(41):
                await say(anna, do="hand", up=True)
            reason = (await next_of(anna, "error"))["reason"]
            self.assertEqual(reason, "too many messages, please wait")


class HubTests(SocketTestCase):
    async def test_one_subscription_however_many_are_here(self):
        async with screen("word"), learner("anna"), learner("ben"):
            self.assertEqual(len(get_channel_layer().groups["class"]), 1)
            (hub,) = (hub for key, hub in HUBS.items() if key[0] is asyncio.get_running_loop())
        await asyncio.wait(hub.tasks, timeout=10)
        self.assertNotIn("class", get_channel_layer().groups)

    async def test_what_the_layer_loses_comes_with_what_follows(self):
        async with screen("word") as board, learner("anna") as anna, learner("ben") as ben:
            with patch("board.learners.tell_all"):  # its message never arrives
                await report(anna, 1)
            await say(ben, do="hand", up=True)
            row = await next_of(board, "row", lambda row: row["works"])
            self.assertEqual((row["name"], [*row["works"]]), ("anna", ["5.1"]))

    async def test_a_whole_class_at_once_is_not_too_much_for_a_screen(self):
        def join():
            for number in range(20):
                register.join(Join("code", f"key-{number:030}"))

        with patch.object(ClassHub, "most_waiting", 5):
            async with screen("word") as board:
                await next_of(board, "table")
                await database_sync_to_async(join)()
                await tell_all()
                frame = {"is": ""}
                while frame["is"] != "rows":
                    frame = json.loads(await board.receive_from(10))
                self.assertEqual(len(frame["rows"]), 20)
