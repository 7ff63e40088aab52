"""What is right in the exercises of lesson 25, Test all of it."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from channels_live.checks import Fits, NotYet, Site

HINTS = {
    "25.1": [
        "How many presses are there, and how many answers does the test read?",
        Fits(
            "it hangs",
            "What does `output_queue.get()` do when nothing comes? Which method of a communicator "
            "waits with a limit?",
        ),
        "One loop: press, then compare `await bell.receive_json_from(timeout=2)`.",
    ],
    "25.2": [
        "Put a `print` into the loop. How often does it run?",
        "Which call lacks its `await`? And what must come, one frame after the other?",
        'Compare two frames whole, with `receive_json_from`: `{"name": "anna"}`, `{"done": True}`.',
    ],
    "25.3": [
        "For each of the three faults: with which frames does the broken gate answer otherwise?",
        "Let somebody enter four times, and then leave. Compare every answer.",
        "For the gate that is shared: connect two clients, and let each enter once.",
    ],
}
LIMIT = 20.0  # seconds for a run of the tests, the start of Django included
CONSUMER = """
from channels.generic.websocket import AsyncJsonWebsocketConsumer


class {name}(AsyncJsonWebsocketConsumer):
    inside = number = 0

    async def receive_json(self, content):
{body}
"""
GATE = """
if "leave" in content:
    {leave}
elif {inside} == {most}:
    return await self.send_json({{"full": True}})
else:
    {inside} += 1
await self.send_json({{"inside": {inside}}})
"""


class Fault(NamedTuple):
    """A consumer that somebody has broken: how, where to look, and its `receive_json`."""

    what: str
    look: str
    body: str


def gate(inside: str = "self.inside", most: int = 3, leave: str = "self.inside -= 1") -> str:
    """Return the body of a gate."""
    return GATE.format(inside=inside, most=most, leave=leave)


def check_25_1(site: Site) -> None:
    right = 'await self.send_json({"ring": content["press"]})'
    other = 'await self.send_json({"ring": content["press"] + 1})'
    first = f"self.number += 1\nif self.number == 1:\n    {right}"
    judge(
        site,
        "bell",
        right,
        Fault("it is silent", "what your test waits for, and for how long", "pass"),
        Fault("it rings for the first press only", "the answers to the other presses", first),
        Fault("it rings with another number", "what the answers are compared with", other),
    )


def check_25_2(site: Site) -> None:
    name, done = 'await self.send_json({"name": content["who"]{}})', "\n{}await self.send_json({})"
    end = done.format("", '{"done": True}')
    right = name.replace("{}", "") + end
    told = name.replace("{}", ', "password": "soup"') + end
    extra = name.replace("{}", "") + done.format("", '{"password": "soup"}') + end
    judge(
        site,
        "register",
        right,
        Fault("it says nothing", "what must come: how many frames does your test demand?", "pass"),
        Fault("it tells a password in the answer", "the whole of the first answer", told),
        Fault("it tells a password in a frame of its own", "every frame until `done`", extra),
    )


def check_25_3(site: Site) -> None:
    shared = "GateConsumer.inside"
    judge(
        site,
        "gate",
        gate(),
        Fault("it lets four in", "the answer to somebody who enters a fourth time", gate(most=4)),
        Fault(
            "all clients share it",
            "how many clients your test has at the same time",
            gate(shared, leave=f"{shared} -= 1"),
        ),
        Fault(
            "it counts up when somebody leaves",
            "the answer to somebody who leaves",
            gate(leave="self.inside += 1"),
        ),
    )


def judge(site: Site, module: str, right: str, *faults: Fault) -> None:
    """Raise NotYet unless a test passes with a consumer, and fails with each broken one."""
    name = f"{module.title()}Consumer"
    command = f"python manage.py test myapp.test_{module}"

    def tests(body: str, look: str, sent: str) -> tuple[int, str]:
        lines = "\n".join(f"        {line}" for line in body.strip().splitlines())
        text = CONSUMER.format(name=name, body=lines)
        (site.folder / f"myapp/{module}.py").write_text(text, encoding="utf-8")
        try:
            return site.python(*command.split()[1:], "--verbosity", "0", limit=LIMIT)
        except NotYet as problem:  # no end
            problem.sent, problem.args, problem.look = sent, (look,), look
            raise

    waits = "what your test waits for without a limit: it hangs"
    done, said = tests(right, waits, command)
    if "Ran 0 tests" in said:
        look = (
            "what Django runs: the methods of a class such as `SimpleTestCase` whose names begin "
            "with `test_`. A function by itself is for pytest"
        )
        raise NotYet(look, sent=command, got="Ran 0 tests", expected="a test")
    if done != 0:
        raise NotYet(
            "your test: here the consumer is as it should be",
            sent=command,
            got="\n".join(_failures(said, f"myapp/test_{module}.py")) or said,
            expected="OK",
        )
    for fault in faults:
        sent = f"{command}, with a mistake in the consumer: {fault.what}"
        done, said = tests(fault.body, waits, sent)
        if done == 0:
            look = "a forgotten `await`" if "was never awaited" in said else fault.look
            raise NotYet(look, sent=sent, got="OK", expected="a test that fails")


def _failures(said: str, path: str) -> Iterator[str]:
    """Tell each failure of a run: the test, what it ended with, and the line of this file."""
    for failure in said.split("=" * 70)[1:] or [said]:  # one that cannot be imported is no test
        title, *rest = failure.split("-" * 70)
        if rest:
            yield title.strip().splitlines()[0]
        traceback = rest[0] if rest else failure
        ends = re.findall(r"^\s.*\n(\w\S*?(?:: .*)?)$", traceback, re.M)
        lines = re.findall(rf'File ".*{path}", line (\d+)', traceback)
        if ends:
            yield f"{ends[-1]}, in {path}, line {lines[-1]}" if lines else ends[-1]
