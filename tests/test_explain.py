"""An error out of anybody's log leads to the lesson that shows it; nothing else is explained."""

import io
import os
import random
import re
import shlex
import subprocess
import sys

import pytest
from public_reports import NOT_SHOWN, REPORTS, ROUTE

from channels_live import notebook
from channels_live.cli import main
from channels_live.explain import MOST, errors, explain
from channels_live.workspace import CLINIC

LOG = """\
2026-11-28 09:12:44,871 INFO     Listening on TCP address 127.0.0.1:8000
127.0.0.1:55180 - - [28/Nov/2026:09:12:51] "WSCONNECTING /ws/room/7/" - -
2026-11-28 09:12:51,021 ERROR    Exception inside application: No route found for path 'ws/room/7/'.
Traceback (most recent call last):
  File "/home/ann/venv/lib/python3.12/site-packages/channels/routing.py", line 134, in __call__
    raise ValueError("No route found for path %r." % path)
ValueError: No route found for path 'ws/room/7/'.
127.0.0.1:55180 - - [28/Nov/2026:09:12:51] "WSDISCONNECT /ws/room/7/" - -
2026-11-28 09:13:02,377 ERROR    Exception inside application: object JobConsumer can't be used in \
'await' expression
"""


def places(said):
    return [(found.shown.lesson.number, found.sure) for found in explain(said)]


@pytest.mark.parametrize(
    ("line", "lesson"),
    [
        ("No route found for path 'ws/room/1/'.", 3),
        ("ValueError: No route found for path 'chat/12'.", 3),
        ("ValueError: No application configured for scope type 'websocket'", 3),
        ("Exception inside application: Django can only handle ASGI/HTTP connections, not "
         "websocket.", 2),
        ("ModuleNotFoundError: No module named 'shop.routing'", 3),
        ("django.core.exceptions.ImproperlyConfigured: Requested setting INSTALLED_APPS, but "
         "settings are not configured. You must either define the environment variable "
         "DJANGO_SETTINGS_MODULE or call settings.configure() before accessing settings.", 3),
        ("TypeError: object PriceConsumer can't be used in 'await' expression", 4),
        ("AttributeError: 'NoneType' object has no attribute 'group_add'", 12),
        ("TypeError: object NoneType can't be used in 'await' expression", 9),
        ("ValueError: No handler for message type websocket.connect", 10),
        ("TypeError: TokenAuthMiddleware.__call__() takes 2 positional arguments but 4 were given",
         17),
        ("redis.exceptions.TimeoutError: Timeout reading", 14),
        ("RuntimeWarning: coroutine 'AsyncWebsocketConsumer.send' was never awaited", 9),
        ("?: (daphne.E001) Daphne must be listed before django.contrib.staticfiles in "
         "INSTALLED_APPS.", 2),
    ],
)  # fmt: skip
def test_errors_of_others_lead_to_their_lesson(line, lesson):
    assert places(line) == [(lesson, True)]


@pytest.mark.parametrize(
    ("page", "line"), [report[1:] for report in REPORTS], ids=[report[0] for report in REPORTS]
)
def test_lines_that_people_have_published_lead_to_their_page(page, line):
    (found,) = explain(line)
    pages = {page, "lesson 3"} if page == ROUTE else {page}
    assert found.shown.page in pages


@pytest.mark.parametrize(
    "line", [report[1] for report in NOT_SHOWN], ids=[report[0] for report in NOT_SHOWN]
)
def test_what_people_have_published_and_nothing_shows_is_not_said_to_be_shown(line):
    assert not [found for found in explain(line) if found.sure]


@pytest.mark.parametrize(
    "line",
    [
        "ImproperlyConfigured: The SECRET_KEY setting must not be empty.",
        "ValueError: No route for this user",
    ],
)
def test_error_of_the_same_class_about_something_else_is_not_explained(line):
    assert explain(line) == []


def test_what_only_looks_alike_is_not_said_to_be_the_same():
    assert places("TypeError: object method can't be used in 'await' expression") == [(4, False)]
    assert places("AttributeError: 'NoneType' object has no attribute 'group_ad'") == [(12, False)]
    line = "TypeError: create_connection() got an unexpected keyword argument '{}'"
    assert places(line.format("extra_headers")) == [(3, True)]  # of the clinic
    assert places(line.format("timeout")) == [(3, False)]


@pytest.mark.parametrize(
    "said",
    [
        *("", "\n\n", "hello", "ZeroDivisionError: division by zero", "a\nb", "Error: ", "\0", "é"),
        # names make these errors, and these are others
        *("KeyError: 'room_name'", "AttributeError: 'Visitor' object has no attribute 'name'"),
    ],
)
def test_what_no_lesson_shows_is_not_explained(said):
    assert places(said) == []


def test_log_is_read_to_its_end_and_each_error_told_once():
    assert [(found.line, found.shown.lesson.number) for found in explain(LOG)] == [
        ("ValueError: No route found for path 'ws/room/7/'.", 3),
        ("object JobConsumer can't be used in 'await' expression", 4),
    ]
    long = "\n".join(shown.line for shown in errors()) + "\n"
    assert [found.shown for found in explain(long * 3)] == list(errors())[-MOST:]


@pytest.mark.timeout(20)
def test_garbage_is_read_to_its_end():
    rubbish = "".join(random.Random(7).choices("aA1 .:/'(", k=300_000))
    for said in ("a" * 300_000, "ERROR " * 50_000, "'" * 300_000, rubbish, f"{rubbish}\n" * 20):
        assert places(f"{said}\n{said}") == []
    many = "".join(f"ERROR Exception inside application: at {n} 'x{n}'\n" for n in range(50_000))
    assert places(f"{LOG}{many}") == [(3, True), (4, True)]


def test_log_that_is_no_text_or_not_there():
    command = [sys.executable, "-m", "channels_live", "explain"]
    log = b"\xff\xfe\nValueError: No route found for path 'ws/\xff'.\n"
    done = subprocess.run(command, input=log, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Shown in lesson" in done.stdout
    closed = subprocess.run(
        [*command, "<&-"] if os.name == "nt" else ["sh", "-c", f"{shlex.join(command)} <&-"],
        capture_output=True,
        check=False,
    )
    assert closed.returncode == 1
    assert b"Traceback" not in closed.stderr


def test_every_error_finds_itself_and_comes_from_a_lesson_that_stands_there():
    assert len(errors()) >= 40
    for shown in errors():
        (found,) = explain(shown.line)
        assert (found.shown, found.sure) == (shown, True), shown.line
        assert shown.lesson.path in [*notebook.lesson_paths(), *notebook.lesson_paths(CLINIC)]
        assert "<" not in shown.text.replace("<class", "").split("`")[0]


def test_place_is_the_section_and_the_text_ends_with_it():
    (found,) = explain("TypeError: A.__call__() takes 2 positional arguments but 4 were given")
    assert found.shown.section == "Watch it fail"  # a heading below another text
    for shown in errors():
        assert not re.search("^## ", shown.text, re.M), shown.line
        page = shown.lesson.path.read_text("utf-8")
        assert f"## {shown.section}"[:40] in page.replace('\\"', '"'), shown.line


@pytest.mark.parametrize(
    ("line", "page"),
    [
        ("TypeError: 'PriceConsumer' object can't be awaited", "lesson 4"),  # Python 3.14
        ("TypeError: 'NoneType' object can't be awaited", "lesson 9"),
        ("TypeError: disconnect() takes 1 positional argument but 2 were given", "clinic 7"),  # 3.9
        ("TypeError: receive() got an unexpected keyword argument 'bytes_data'", "lesson 5"),
        ("redis.exceptions.TimeoutError: Timeout reading from cache.example:6379", "lesson 14"),
        ("ConnectionError: Error 61 connecting to localhost:6379. Connection refused.", "clinic 4"),
        ("1 of 12 channels over capacity in group chat_lobby", "clinic 4"),
        ("ValueError: No handler for message type order.paid", "lesson 12"),
        ("ImproperlyConfigured: Cannot find 'app:application' in ASGI_APPLICATION module shop",
         "clinic 1"),
    ],
)  # fmt: skip
def test_other_versions_say_the_same_in_other_words(line, page):
    (found,) = explain(line)
    assert (found.shown.page, found.sure) == (page, True)
    assert line.endswith(found.line)


def test_browsers_words_for_a_socket_that_is_not_secure():
    both = "\n".join(shown.line for shown in errors() if "nsecure WebSocket" in shown.line)
    assert both.count("\n") == 1
    assert {found.shown.section for found in explain(both)} == {
        "The page is secure, and its socket is not"
    }


def test_command(capsys, monkeypatch):
    assert main(["explain", "No route found for path 'ws/x/'."]) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "No route found for path 'ws/x/'.\n\nShown in lesson 3 · Configure ASGI, “Do what "
        "the step says”:\n\n    ValueError: No route found for path 'ws/chat/'.\n\nThe handshake"
    )
    assert main(["explain", "object method can't be used in 'await' expression"]) == 0
    assert "Not shown in the lessons. It looks like this one of lesson 4" in capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.StringIO(LOG))
    assert main(["explain"]) == 0
    assert capsys.readouterr().out.count("Shown in lesson") == 2
    assert main(["explain", "nothing", "of", "the", "kind"]) == 1
    assert capsys.readouterr().out == "No lesson shows an error like that.\n"
