from .sockets import SocketTestCase, connected, learner, next_of, report, say, screen


class ScreenTests(SocketTestCase):
    async def test_only_who_has_a_word_sees_the_class(self):
        async with connected("/ws/screen/", origin="http://localhost") as nobody:
            self.assertIsNotNone(nobody.refused)
        async with screen("wrong") as nobody:
            self.assertIsNotNone(nobody.refused)

    async def test_no_page_of_another_site_opens_it(self):
        async with connected("/ws/screen/", origin="http://evil.example") as other:
            self.assertIsNotNone(other.refused)

    async def test_shows_each_change_and_who_is_here(self):
        async with screen("word") as board:
            self.assertEqual((await next_of(board, "table"))["rows"], [])
            async with learner("anna") as anna:
                row = await next_of(board, "row")
                await next_of(board, "here", lambda here: here["learners"] == [row["id"]])
                await report(anna, 1, state="not attempted", seconds=120)
                await report(anna, 2, tries=1, hints=2, message="got: nothing")
                row = await next_of(
                    board, "row", lambda row: row["works"].get("5.1", {}).get("tries")
                )
                work = row["works"]["5.1"]
                self.assertEqual((work["state"], work["hints"]), ("not yet", 2))
                self.assertEqual((work["message"], row["on"]), ("got: nothing", "5.1"))
                self.assertIsNone(work["until"])
                async with screen("word") as later:
                    (known,) = (await next_of(later, "table"))["rows"]
                    self.assertEqual(known, row)
            await next_of(board, "here", lambda here: here["learners"] == [])

    async def test_a_push_reaches_who_is_on_that_exercise_and_not_right(self):
        async with (
            screen("word") as board,
            learner("anna") as anna,
            learner("ben") as ben,
            learner("carl") as carl,
        ):
            await report(anna, 1, "5.1")
            await report(ben, 1, "5.2")
            await report(carl, 1, "5.1", "right")
            await say(board, do="push", exercise="5.1", text="look at accept()")
            self.assertEqual((await next_of(board, "pushed"))["learners"], 1)
            self.assertEqual((await next_of(anna, "hint"))["text"], "look at accept()")
            await say(board, do="push", exercise="5.2", text="for ben")
            self.assertEqual((await next_of(ben, "hint"))["text"], "for ben")
            await say(board, do="push", exercise="5.1", text=" ")
            self.assertIn("nothing to send", (await next_of(board, "error"))["reason"])

    async def test_a_hand_is_raised_attended_and_lowered(self):
        async with screen("helper-word") as helper, learner("anna") as anna:
            await say(anna, do="hand", up=True)
            first = await next_of(helper, "row", lambda row: row["hand"])
            await say(helper, do="attend", learner=first["id"], going=True)
            await next_of(anna, "row", lambda row: row["attended"])
            await say(anna, do="hand", up=True, why="still")
            again = await next_of(helper, "row", lambda row: row["why"])
            self.assertEqual(again["hand"], first["hand"], "it keeps its place")
            await say(helper, do="lower", learner=first["id"])
            row = await next_of(anna, "row", lambda row: not row["hand"])
            self.assertFalse(row["attended"])

    async def test_a_helper_sends_nothing(self):
        async with screen("helper-word") as helper:
            self.assertEqual((await next_of(helper, "table"))["role"], "helper")
            await say(helper, do="push", exercise="5.1", text="hello")
            self.assertIn("only the instructor", (await next_of(helper, "error"))["reason"])
            await say(helper, do="lower", learner=99)
            self.assertIn("has left", (await next_of(helper, "error"))["reason"])
