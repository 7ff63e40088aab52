"""A timetable for a class says when everything begins, and what does not fit."""

import re

import pytest

from channels_live import LessonError, notebook
from channels_live.cli import main
from channels_live.exercise import tasks
from channels_live.schedule import Item, clock, items_of, minutes_of, sections, timetable
from channels_live.workspace import ROOT

PLANS = re.findall(
    r"^channels-live (schedule .+ --start .+)$",
    (ROOT / "INSTRUCTORS.md").read_text("utf-8"),
    re.MULTILINE,
)
LESSONS = [notebook.lesson(path) for path in notebook.lesson_paths()]
BLOCK = 45  # minutes, as in a workshop


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.path.stem)
def test_sections_take_together_as_long_as_their_lesson(lesson):
    items = sections(lesson)
    assert sum(item.minutes for item in items) == lesson.minutes
    assert all(1 <= item.minutes <= BLOCK for item in items)
    assert items[0].name == f"{lesson.number} · {lesson.title}"
    assert items[-1].name == f"{lesson.number} · Recap"


def test_whole_course_fits_into_blocks():
    table = timetable(items_of([lesson.number for lesson in LESSONS]), 540, BLOCK)
    assert (table.too_long, table.left_over) == ([], [])
    done = sum(entry.minutes for entry in table.entries if entry.item)
    assert done == sum(lesson.minutes for lesson in LESSONS) + sum(task.minutes for task in tasks())


def items(*minutes):
    return [Item(f"item {number}", each) for number, each in enumerate(minutes, 1)]


def test_breaks_come_where_a_block_is_full():
    table = timetable(items(20, 25, 10, 40), start=540, block=45, pause=10)
    assert str(table) == (
        " 9:00   20 min  item 1\n 9:20   25 min  item 2\n 9:45   10 min  — break —\n"
        " 9:55   10 min  item 3\n10:05   10 min  — break —\n10:15   40 min  item 4\n10:55  end"
    )


def test_nothing_is_done_at_lunch_and_no_break_stands_before_it():
    table = timetable(items(40, 20, 30), start=710, block=45, lunch=(750, 810))
    assert str(table) == (
        "11:50   40 min  item 1\n12:30   60 min  — lunch —\n13:30   20 min  item 2\n"
        "13:50   10 min  — break —\n14:00   30 min  item 3\n14:30  end"
    )


def test_what_does_not_fit_is_said():
    table = timetable(items(50, 20, 5), start=540, block=45, until=600)
    assert [item.name for item in table.too_long] == ["item 1"]
    # in their order: nothing is brought forward
    assert [item.name for item in table.left_over] == ["item 2", "item 3"]
    assert str(table) == (
        " 9:00   50 min  item 1\n 9:50  end\n\nToo long for a block:\n        50 min  item 1\n\n"
        "No room in this day for:\n        20 min  item 2\n         5 min  item 3"
    )


def test_times_of_day():
    assert [minutes_of(text) for text in ("9:00", "13.30", "00:05", "23:59")] == [540, 810, 5, 1439]
    assert [clock(minutes) for minutes in (0, 545, 1439, 1500)] == [
        " 0:00", " 9:05", "23:59", " 1:00 (+1)",
    ]  # fmt: skip
    for text in ("", "nine", "24:00", "9:60", "9", "٩:00", "-1:00"):
        with pytest.raises(LessonError, match=r"is no time of day\. Write it like 9:00"):
            minutes_of(text)


@pytest.mark.parametrize("plan", PLANS)
def test_plan_for_instructors_fits_into_its_day(plan, capsys):
    assert main(plan.split()) == 0, capsys.readouterr().out


def test_plans_are_for_a_day_two_half_days_and_a_week():
    assert len(PLANS) == 1 + 2 + 5


EXPORT = """\
\ufefflearner,exercise,state,tries,hints,minutes,message
amber fox,5.1,right,2,0,10,
bold hare,5.1,right,5,1,20,
calm lynx,5.1,right,9,2,40,
calm lynx,5.2,not yet,1,0,90,"sent, and got"
"""


def test_what_a_class_took_is_compared_and_nobody_named(tmp_path, capsys):
    (tmp_path / "class.csv").write_text(EXPORT, "utf-8")
    assert main(["schedule", "5", "--took", str(tmp_path / "class.csv")]) == 0
    first, second = (task for task in tasks() if task.number in ("5.1", "5.2"))
    together = f"{first.minutes + second.minutes} min"
    assert capsys.readouterr().out.splitlines() == [
        "reckoned  half had it  three quarters  right",
        f"{first.minutes:>4} min       20 min          30 min  3 of 3      5.1 · {first.title}",
        f"{second.minutes:>4} min            –               –  0 of 1      5.2 · {second.title}",
        f"{together:>8}            –               –              lesson 5, together",
    ]
    assert main(["schedule", "0-4", "--took", str(tmp_path / "class.csv")]) == 0
    assert capsys.readouterr().out.startswith("Nobody of this class has begun")


@pytest.mark.parametrize("content", ["", "learner\nfox\n", "exercise,state,minutes\n5.1,right,x\n"])
def test_file_that_is_no_export_is_refused(tmp_path, capsys, content):
    (tmp_path / "class.csv").write_text(content, "utf-8")
    assert main(["schedule", "5", "--took", str(tmp_path / "class.csv")]) == 2
    assert "is no export of a board" in capsys.readouterr().err
