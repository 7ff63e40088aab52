"""Wrong answers to the exercises of lesson 25."""

from . import Wrong

BELL, REGISTER, GATE = "myapp/test_bell.py", "myapp/test_register.py", "myapp/test_gate.py"
RING = 'self.assertEqual(await bell.receive_json_from(timeout=2), {"ring": number})'
NAME = 'self.assertEqual(await register.receive_json_from(timeout=2), {"name": "anna"})'
DONE = 'self.assertEqual(await register.receive_json_from(timeout=2), {"done": True})'
EACH = """
    async def test_each_has_a_gate(self):
        anna, ben = await self.guest(), await self.guest()
        self.assertEqual(await self.answer(anna, "enter"), {"inside": 1})
        self.assertEqual(await self.answer(ben, "enter"), {"inside": 1})
"""

WRONG = {
    "25.1": [
        Wrong("reads nothing", "what your test waits for", BELL, RING, "pass"),
        Wrong(
            "waits without a limit",
            "without a limit: it hangs",
            BELL,
            RING,
            'self.assertIn(str(number), (await bell.output_queue.get())["text"])',
        ),
        Wrong(
            "compares no number",
            "what the answers are compared with",
            BELL,
            RING,
            'self.assertIn("ring", await bell.receive_json_from(timeout=2))',
        ),
        Wrong(
            "presses once",
            "the answers to the other presses",
            BELL,
            "for number in (1, 2, 3):",
            "for number in (1,):",
        ),
        Wrong(
            "still reads a fourth",
            "here the consumer is as it should be",
            BELL,
            "        await bell.disconnect()",
            "        await bell.receive_json_from(timeout=1)",
        ),
        Wrong(
            "does not wait at all",
            "asyncio.queues.QueueEmpty, in myapp/test_bell.py, line 14",
            BELL,
            "await bell.receive_json_from(timeout=2)",
            "bell.output_queue.get_nowait()",
        ),
        Wrong(
            "forgets a colon",
            "SyntaxError: expected ':', in myapp/test_bell.py, line 12",
            BELL,
            "for number in (1, 2, 3):",
            "for number in (1, 2, 3)",
        ),
    ],
    "25.2": [
        Wrong(
            "demands nothing",
            "how many frames does your test demand",
            REGISTER,
            NAME,
            "self.assertTrue(await register.receive_nothing() in (True, False))",
            ((REGISTER, DONE, "pass"),),
        ),
        Wrong(
            "looks at the name only",
            "the whole of the first answer",
            REGISTER,
            NAME,
            'self.assertEqual((await register.receive_json_from(timeout=2))["name"], "anna")',
        ),
        Wrong("reads one frame", "every frame until `done`", REGISTER, DONE, "pass"),
        Wrong(
            "forgets the await",
            "a forgotten `await`",
            REGISTER,
            NAME,
            "self.assertTrue(register.receive_json_from(timeout=2))",
            ((REGISTER, DONE, "pass"),),
        ),
    ],
    "25.3": [
        Wrong(
            "enters three times",
            "a fourth time",
            GATE,
            '        self.assertEqual(await self.answer(anna, "enter"), {"full": True})\n',
            "",
        ),
        Wrong("has one client", "how many clients", GATE, EACH, ""),
        Wrong(
            "never leaves",
            "somebody who leaves",
            GATE,
            '        self.assertEqual(await self.answer(anna, "leave"), {"inside": 2})\n',
            "",
        ),
        Wrong(
            "calls the methods as they like",
            "begin with `test_`",
            GATE,
            "def test_three",
            "def three",
            ((GATE, "def test_each", "def each"),),
        ),
        Wrong(
            "writes functions, as for pytest",
            "A function by itself is for pytest",
            GATE,
            "",
            "async def test_nothing():\n    assert True\n",
        ),
    ],
}
