"""Wrong answers to the exercises of lesson 28."""

from . import Wrong

CLASSROOM, WORKS = "myapp/classroom.py", "myapp/works.py"
COMPARE = 'if not constant_time_compare(content["code"].strip().upper(), CODE):'
STATE = '        if work.state != "right":  # once earned it is never taken back\n'
CREATE = "    work, is_new = await Work.objects.aget_or_create(**known, defaults=new)\n"
ADD_SCREEN = '        await self.channel_layer.group_add("screens", self.channel_name)\n'

WRONG = {
    "28.1": [
        Wrong(
            "compares nothing",
            "which codes let somebody in",
            CLASSROOM,
            COMPARE,
            'if not content["code"]:',
        ),
        Wrong(
            "looks whether the code begins so",
            "which codes let somebody in",
            CLASSROOM,
            COMPARE,
            'if not content["code"].strip().upper().startswith(CODE):',
        ),
        Wrong(
            "lets in only who types capital letters",
            "in capital or small letters",
            CLASSROOM,
            COMPARE,
            'if content["code"].strip() != CODE:',
        ),
        Wrong(
            "keeps the spaces around a code",
            "with spaces around it or without",
            CLASSROOM,
            ".strip().upper()",
            ".upper()",
        ),
        Wrong(
            "counts who had a wrong code",
            "who came with a wrong code has not joined",
            CLASSROOM,
            COMPARE,
            """name_for(content["key"], content["name"])
        HERE[content["key"]] += 1
        await self.channel_layer.group_send("screens", {"type": "class.changed"})
        """
            + COMPARE,
        ),
        Wrong(
            "never discards",
            "what all screens read when somebody comes or goes",
            CLASSROOM,
            "            await self.leave()\n",
            "            pass\n",
        ),
        Wrong(
            "leaves in disconnect",
            "after an exception `disconnect` does not",
            CLASSROOM,
            "    async def leave(self):\n",
            "    async def disconnect(self, close_code):\n",
            ((CLASSROOM, "            await self.leave()\n", "            pass\n"),),
        ),
        Wrong(
            "takes one connection for the learner",
            "when the last of their connections has ended",
            CLASSROOM,
            "            HERE[self.key] -= 1\n            if not HERE[self.key]:\n    ",
            "            if self.key in HERE:\n    ",
        ),
        Wrong(
            "counts to zero, and keeps the key",
            "what all screens read when somebody comes or goes",
            CLASSROOM,
            "            if not HERE[self.key]:\n                del HERE[self.key]\n",
            "",
        ),
        Wrong(
            "gives a name twice",
            "which name somebody gets",
            CLASSROOM,
            "        while name in NAMES.values():\n"
            "            number += 1\n"
            '            name = f"{wanted} {number}"\n',
            "",
        ),
        Wrong(
            "gives a new name to who comes back",
            "who has the same key has the same name",
            CLASSROOM,
            "    if key not in NAMES:\n",
            "    if True:\n",
        ),
        Wrong(
            "takes who has come for who is in",
            "who came with a wrong code was never here",
            CLASSROOM,
            "        if not constant_time_compare",
            '        self.key = content["key"]\n        if not constant_time_compare',
        ),
    ],
    "28.2": [
        Wrong(
            "takes the right back",
            "they stay right",
            WORKS,
            STATE,
            "        if True:\n",
        ),
        Wrong(
            "takes no report after the right one",
            "they stay right",
            WORKS,
            "    if not is_new:\n",
            '    if not is_new and work.state != "right":\n',
        ),
        Wrong(
            "takes any text for a state",
            "the types of the fields",
            WORKS,
            'Literal["not attempted", "not yet", "right"]',
            "str",
        ),
        Wrong(
            "takes any text for an exercise",
            "the types of the fields",
            WORKS,
            'Annotated[str, Meta(pattern=r"^[0-9]{1,3}\\.[0-9]{1,3}\\Z")]',
            "str",
        ),
        Wrong(
            "lets a line feed follow",
            "the types of the fields",
            WORKS,
            "{1,3}\\Z",
            "{1,3}$",
        ),
        Wrong(
            "forgets that a dot stands for any character",
            "the types of the fields",
            WORKS,
            "{1,3}\\.[0-9]",
            "{1,3}.[0-9]",
        ),
        Wrong(
            "takes negative numbers",
            "the types of the fields",
            WORKS,
            "    tries: Annotated[int, Meta(ge=0, le=1_000_000)]\n",
            "    tries: int\n",
        ),
        Wrong(
            "takes numbers that are too high",
            "the types of the fields",
            WORKS,
            "    tries: Annotated[int, Meta(ge=0, le=1_000_000)]\n",
            "    tries: Annotated[int, Meta(ge=0)]\n",
        ),
        Wrong(
            "does without the highest number",
            "a report is written down",
            WORKS,
            "    tries: Annotated[int, Meta(ge=0, le=1_000_000)]\n",
            "    tries: Annotated[int, Meta(ge=0, lt=1_000_000)]\n",
        ),
        Wrong(
            "does without a field",
            "the types of the fields",
            WORKS,
            "    tries: Annotated[int, Meta(ge=0, le=1_000_000)]\n",
            "    tries: Annotated[int, Meta(ge=0, le=1_000_000)] = 0\n",
        ),
        Wrong(
            "keeps the first report",
            "what the newest report did",
            WORKS,
            "        await work.asave()\n",
            "",
        ),
        Wrong(
            "has one work a learner",
            "all works by exercise",
            WORKS,
            CREATE,
            "    await Work.objects.filter(learner=learner).exclude("
            "exercise=report.exercise).adelete()\n" + CREATE,
        ),
    ],
    "28.3": [
        Wrong(
            "acknowledges before it is saved",
            "when a learner reads `saved`",
            CLASSROOM,
            "        work = await save(self.name, report)\n"
            '        await self.send_json({"is": "saved", "number": report.number})\n',
            '        await self.send_json({"is": "saved", "number": report.number})\n'
            "        work = await save(self.name, report)\n",
        ),
        Wrong(
            "counts a repeat as a try",
            "a report does that comes again",
            CLASSROOM,
            "report.number, report.tries\n",
            "report.number, work.tries + 1\n",
        ),
        Wrong(
            "counts one try for each new number",
            "what the learner's program has counted",
            CLASSROOM,
            "        work.number, work.tries = report.number, report.tries\n",
            "        work.tries += report.number > work.number\n"
            "        work.number = report.number\n",
        ),
        Wrong(
            "reads the table before it subscribes",
            "what changes while a screen connects",
            CLASSROOM,
            ADD_SCREEN,
            "",
            (
                (
                    CLASSROOM,
                    '"table", "works": works})\n',
                    '"table", "works": works})\n' + ADD_SCREEN,
                ),
            ),
        ),
        Wrong(
            "sends no table",
            "what a screen reads first",
            CLASSROOM,
            '        await self.send_json({"is": "table", "works": works})\n',
            "",
        ),
    ],
    "28.4": [
        Wrong(
            "pushes to everybody who has begun",
            "how many learners are on it now",
            CLASSROOM,
            'if work.exercise == exercise and work.state != "right"',
            "if work",
        ),
        Wrong(
            "pushes to those who are right",
            "how many learners are on it now",
            CLASSROOM,
            ' and work.state != "right"',
            "",
        ),
        Wrong(
            "pushes to all who were ever on it",
            "how many learners are on it now",
            CLASSROOM,
            'Work.objects.order_by("number")',
            'Work.objects.filter(exercise=exercise).order_by("number")',
        ),
        Wrong(
            "counts right, and tells everybody",
            "who is on that exercise now",
            CLASSROOM,
            " and self.name in event",
            " and event",
        ),
        Wrong(
            "loses what was sent while somebody was away",
            "what somebody reads who comes back",
            CLASSROOM,
            "        async for push in Push.objects.filter(pk__gt=after):\n"
            "            await self.hint_sent(event_of(push))\n",
            "",
        ),
        Wrong(
            "begins with what has come already",
            "what somebody reads who comes back",
            CLASSROOM,
            "        async for push in Push.objects.filter(pk__gt=after):\n",
            "        self.last = 0\n        async for push in Push.objects.all():\n",
        ),
        Wrong(
            "reads the table, and then joins the group",
            "what is pushed while somebody joins",
            CLASSROOM,
            '        await self.channel_layer.group_add("learners", self.channel_name)\n'
            "        async for push in Push.objects.filter(pk__gt=after):\n"
            "            await self.hint_sent(event_of(push))\n",
            "        async for push in Push.objects.filter(pk__gt=after):\n"
            "            await self.hint_sent(event_of(push))\n"
            '        await self.channel_layer.group_add("learners", self.channel_name)\n',
        ),
        Wrong(
            "reads the table, joins the group, and then tells what it has read",
            "what is pushed while somebody joins",
            CLASSROOM,
            '        await self.channel_layer.group_add("learners", self.channel_name)\n'
            "        async for push in Push.objects.filter(pk__gt=after):\n"
            "            await self.hint_sent(event_of(push))\n",
            "        missed = [push async for push in Push.objects.filter(pk__gt=after)]\n"
            '        await self.channel_layer.group_add("learners", self.channel_name)\n'
            "        for push in missed:\n"
            "            await self.hint_sent(event_of(push))\n",
        ),
        Wrong(
            "catches up, and forgets to subscribe",
            "what they read",
            CLASSROOM,
            '        await self.channel_layer.group_add("learners", self.channel_name)\n',
            "",
        ),
        Wrong(
            "takes who was last on a new exercise",
            "how many learners are on it now",
            CLASSROOM,
            'order_by("number")',
            'order_by("pk")',
        ),
    ],
}
