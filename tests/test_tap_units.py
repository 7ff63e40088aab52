"""What the tap wraps is there, what it records is in its vocabulary, and it needs little."""

import copy
import gc
import importlib
import importlib.util
import inspect
import io
import itertools
import os
import pickle
import subprocess
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace

import msgpack
import pytest
from txaio._common import _BatchedTimer

from channels_live import tap
from channels_live.tap import (
    calls,
    channels,
    daphne,
    django,
    errors,
    hooks,
    layers,
    outside,
    servers,
    settle,
    wire,
)
from channels_live.tap.asgi import Connection
from channels_live.tap.batches import next_events
from channels_live.tap.errors import message, own, where
from channels_live.tap.events import ALWAYS, EVENTS, checked, fault
from channels_live.tap.state import state
from channels_live.tap.texts import address, cut, short
from channels_live.tap.wire import CHECKED

FOLDER = Path(tap.__file__).parent
LIBRARIES = [daphne, channels, django, servers, outside]
HOOKS = [
    (module, name)
    for library in LIBRARIES
    for module, names in library.HOOKS.items()
    for name in names
]


# The libraries


@pytest.mark.parametrize(("module", "name"), HOOKS, ids=[".".join(hook) for hook in HOOKS])
def test_what_is_wrapped_is_there(module, name):
    """Where this fails with a new version of a library, that hook needs another place."""
    if module.startswith("hypercorn."):
        pytest.importorskip("hypercorn")
    value = importlib.import_module(module)
    for part in name.split("."):
        value = getattr(value, part)
    assert callable(value)


@pytest.mark.parametrize("first", [True, False])
def test_finder_that_asks_all_others_puts_no_hook_in_twice(tmp_path, monkeypatch, first):
    """As those of tracers do, such as Datadog's."""

    class Asks:
        asking = False

        def find_spec(self, name, path=None, target=None):
            if self.asking:
                return None
            self.asking = True
            try:
                return importlib.util.find_spec(name)
            finally:
                self.asking = False

    name = f"hooked_{first}".lower()
    (tmp_path / f"{name}.py").write_text("def tell(): return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(hooks, "_waiting", {})
    others = [finder for finder in sys.meta_path if finder is not hooks._finder]
    ours = [Asks(), hooks._finder] if first else [hooks._finder, Asks()]
    monkeypatch.setattr(sys, "meta_path", [*ours, *others])
    hooks.install({name: {"tell": lambda function: lambda: 10 * function()}})
    assert importlib.import_module(name).tell() == 10


def test_dispatch_of_sync_consumers_can_be_replaced():
    from channels.consumer import SyncConsumer

    assert inspect.isfunction(vars(SyncConsumer)["dispatch"].func)


def test_it_imports_nothing_of_ours_and_little_else():
    script = (
        "import sys; before = set(sys.modules);"
        "from channels_live.tap import channels, daphne, django, outside, servers, wire;"
        "print(*sys.modules.keys() - before)"
    )
    environment = {name: os.environ[name] for name in os.environ if name != CHECKED}
    command = [sys.executable, "-c", script]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    ours = {name for name in printed.stdout.split() if name.startswith("channels_live")}
    assert {name for name in ours if not name.startswith("channels_live.tap")} == {"channels_live"}
    assert "channels_live.tap.events" not in ours, "it is for tests and readers"


@pytest.mark.parametrize(("delay", "waits"), [(1, 1.01), (20, 19.01)])
def test_whole_second_for_the_answer_to_a_close(delay, waits):
    waited = []
    timer = _BatchedTimer(200, 1000, lambda: 10.99, lambda wait, *_: waited.append(wait))
    daphne._wait_whole_second(_BatchedTimer.call_later)(timer, delay, print)
    assert waited == [pytest.approx(waits)]
    assert daphne.WHOLE_SECOND in os.environ, (
        "or a test on a busy machine would now and then see 1006"
    )


# The vocabulary


def sample(event):
    """Return an event of this form, with a value of the right type in each field."""
    values = {int: 1, str: "x", float: 0.5, bool: True}
    fields = ALWAYS | event.fields
    return {name: values.get(field.type) for name, field in fields.items()} | {"kind": event.kind}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.meaning)
def test_event_of_each_form_is_known(event):
    right = sample(event)
    assert fault(right) is None
    assert fault(right | {"process": 1}) is None
    assert fault(right | {"more": 1}).startswith("missing or unknown fields")
    for name in event.fields:
        assert fault({key: right[key] for key in right if key != name})
        wrong = right | {name: object()}
        assert fault(wrong).startswith(f"wrong type of {name}: ")
    assert event.meaning and all(field.meaning for field in event.fields.values())


def test_kind_of_event_must_be_known():
    assert fault({"kind": "opened", "at": 0.0}) == "there is no event of the kind 'opened'"


def test_number_is_no_truth_and_truth_is_no_number():
    assert fault({"kind": "return", "at": 0.0, "conn": True, "call": 1, "seconds": 0.5})
    assert fault({"kind": "settled", "at": 0.0, "number": 1, "quiet": 1, "pending": False})


def test_what_is_not_in_the_vocabulary_is_refused():
    recorded, refused = [], []
    record = checked(lambda kind, **fields: recorded.append(kind) or 0.0, refused.append)
    record("settled", number=1, quiet=True, pending=False)
    assert (recorded, refused) == (["settled"], [])
    record("settled", request=1, quiet=True, pending=False)
    assert len(refused) == 1


def test_process_that_records_anything_else_ends():
    script = "from channels_live.tap.wire import record; record('surprise'); print('still here')"
    command = [sys.executable, "-c", script]  # the variable is set in all tests
    process = subprocess.run(command, capture_output=True, text=True)
    assert (process.returncode, process.stdout) == (70, "")
    assert "no event of the kind 'surprise'" in process.stderr


# Exceptions


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder that counts as the project's."""
    monkeypatch.setattr(state, "folder", f"{tmp_path}/")
    own.cache_clear()
    yield tmp_path
    own.cache_clear()


def test_error_in_a_compiled_module_is_placed_in_the_file_that_called_it(folder, monkeypatch):
    monkeypatch.chdir(folder)
    file = folder / "own.py"
    file.write_text("def call(inner):\n    inner()\n")
    inner, outer = {}, {}
    exec(compile("def inner():\n    raise ValueError", "some/_packer.pyx", "exec"), inner)
    exec(compile(file.read_text(), str(file), "exec"), outer)
    with pytest.raises(ValueError) as caught:
        outer["call"](inner["inner"])
    assert where(caught.value) == (str(file), 2)


def test_environment_in_the_folder_of_the_project_is_not_the_projects(folder, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(folder / ".venv"))
    assert own(str(folder / "myapp/consumers.py"))
    assert not own(str(folder / ".venv/lib/python3/site-packages/library.py"))
    assert not own("<frozen runpy>")


def test_exception_that_cannot_be_told_does_no_harm():
    class Silent(Exception):
        def __str__(self):
            raise RuntimeError

    class Leaving(Exception):
        def __str__(self):
            sys.exit("no")

    assert message(Silent()) == message(Leaving()) == ""
    assert message(SyntaxError()) == ""


# Connections and calls


@pytest.fixture
def events(monkeypatch):
    """Return what is recorded meanwhile."""
    state.events.clear()
    yield state.events
    state.events.clear()


def test_connection_is_forgotten_however_it_ends(events):
    ends = [
        [Connection.end, Connection.leave_application],
        [Connection.leave_application, Connection.end],
        [Connection.leave_application, Connection.end, Connection.mend],
    ]
    for steps in ends:
        connection = Connection("websocket", "GET", "/")
        connection.queue = object()
        connection.failed = Connection.mend in steps
        for step in steps:
            assert connection.number in state.connections
            step(connection)
        assert connection.number not in state.connections


@pytest.mark.parametrize("message", [None, {"type": 5}, {"text": b"x", "code": "secret"}])
def test_message_of_any_form_can_be_recorded(events, message):
    call = calls.Call(object(), message)
    call.start()
    call.end()
    assert not state.calls
    assert [fault(event) for event in events] == [None, None]
    assert events[0]["conn"] is events[0]["text"] is events[0]["arg"] is None


def test_marked_message_is_an_ordinary_one_to_everybody_else():
    message = layers._marked({"type": "x", "list": [1]}, "mark")
    assert message == {"type": "x", "list": [1]} and repr(message) == repr(dict(message))
    for copied in (pickle.loads(pickle.dumps(message)), msgpack.unpackb(msgpack.packb(message))):
        assert type(copied) is dict and copied == message
    deep = copy.deepcopy(message)
    assert deep == message and deep["list"] is not message["list"] and deep.mark == "mark"


def test_marks_of_messages_that_nobody_handles_are_forgotten():
    class Content:
        pass

    message = {"type": "x", "content": Content()}
    known = weakref.ref(message["content"])
    layers._remember(message, "mark")
    assert layers.mark_of(message) == "mark"
    del message
    assert known() is None
    messages = [{} for _ in range(layers.MOST_MARKS + 10)]
    for message in messages:
        layers._remember(message, "mark")
    assert len(state.marks) == layers.MOST_MARKS
    assert layers.mark_of(messages[0]) is None
    state.marks.clear()


def test_consumer_and_message_are_not_held(events):
    class Consumer:
        pass

    class Message(dict):
        pass

    consumer, message = Consumer(), Message(type="x")
    known = [weakref.ref(each) for each in (consumer, Consumer, message)]
    call = calls.Call(consumer, message)
    state.dispatching.set(call)
    call.start()
    call.end(ValueError())
    del consumer, Consumer, message, Message
    gc.collect()
    assert [each() for each in known] == [None] * 3
    state.dispatching.set(None)


def test_method_is_looked_for_once_but_what_is_new_is_seen(events):
    class Base:
        def one(self): ...

    def called(consumer, *kinds):
        for kind in kinds:
            call = calls.Call(consumer(), {"type": kind})
            call.start()
            call.end()
        told = [event for event in events if event["kind"] == "call"]
        return [
            (event["handler"], event["known"], event["owner"].rpartition(".")[2]) for event in told
        ]

    first = type("First", (Base,), {})
    assert called(first, "one", "two")[-2:] == [("one", True, "Base"), ("two", False, "First")]
    first.two = lambda self: None
    assert called(first, "two")[-1] == ("two", True, "First")
    assert set(state.methods[id(first)][1]) == {"one", "two"}
    # another class where one was that is gone
    second = type("Second", (), {"one": lambda self: None})
    state.methods[id(second)] = state.methods[id(first)]
    assert called(second, "one")[-1][0:2] == ("one", True)
    assert events[-2]["consumer"] == "Second"

    class AnyMethod:
        def __getattr__(self, name): ...

    assert called(AnyMethod, "a", "b")[-1][:2] == ("b", True)
    assert state.methods[id(AnyMethod)][1] == {}  # a client could fill it


def test_what_cannot_be_packed_becomes_a_gap_and_the_others_go_on():
    good, deep = {"kind": "ready", "at": 0.5}, []
    for _ in range(5_000):
        deep = [deep]
    for bad in (object(), str, type("Text", (str,), {})("x"), deep):
        parts = wire._packed([good, {"kind": "in", "at": 0.5, "conn": 1, "text": bad}, good])
        stream = io.BytesIO(b"".join(parts))
        told = [event for _ in range(3) for event in next_events(stream)]
        assert [event["kind"] for event in told] == ["ready", "gap", "ready"]
        assert told[1]["detail"] == "encode" and next_events(stream) == []


def test_error_is_recorded_once_a_call(events):
    connection = Connection("websocket", "GET", "/")
    token = state.connection.set(connection)
    error = ValueError("x")
    for _ in range(2):
        call = calls.Call(object(), {"type": "x"})
        call.start()
        call.end(error)
        errors.record_error(error)  # by the application around the consumer
    state.connection.reset(token)
    connection.end()
    assert [event["kind"] for event in events].count("error") == 2


def test_long_text_is_cut_between_characters():
    assert short("é".encode() * 100) == "é" * 100
    assert short("é".encode() * 101) == "é" * 101 + "… (202 bytes)"


# Patience


@pytest.fixture
def busy(monkeypatch):
    """Have something in hand that never ends."""
    monkeypatch.setattr(settle, "busy", lambda absent: True)


def test_patience_ends_only_after_as_many_looks_as_it_has_room_for(busy, monkeypatch):
    looks = []

    class Look(settle._Look):
        def __init__(self, absent):
            looks.append(1)
            super().__init__(absent)

    monkeypatch.setattr(settle, "_Look", Look)
    monkeypatch.setattr(tap, "SETTLE_LIMIT", 1000.0)
    seconds = itertools.count()  # one passes with every look: the process is starved
    clock = SimpleNamespace(monotonic=lambda: next(seconds), sleep=lambda seconds: None)
    monkeypatch.setattr(settle, "time", clock)
    assert settle.settle(0.1, lambda: None) == (False, True)
    assert len(looks) >= 0.1 / settle.POLL


def test_question_is_given_up_after_the_limit_in_any_case(busy, monkeypatch):
    monkeypatch.setattr(tap, "SETTLE_LIMIT", 0.05)
    assert settle.settle(60.0, lambda: None) == (False, True)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/confirm/MQ:1vabcd:Hs0mEsecretSignatureThatIsLong0123/", "/confirm/MQ:1vab…/"),
        ("/invite/waESVCJy1rYTRx_0-F8CRM9_u8pet1VAMOts_8NuVOY/", "/invite/waES…/"),
        ("/invite/kQzB-vTnYcRw7LmXpAeJdF/", "/invite/kQzB…/"),
        ("/ws/9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b/", "/ws/9944…/"),
        *[
            (path, path)
            for path in (
                "/ws/Room-2-The-Great-Discussion-Of-Things/",
                "/ws/550e8400-e29b-41d4-a716-446655440000/",
                "/media/IMG20261128123456789012345.jpg",
                "/ws/AsyncJsonWebsocketConsumer2/",
                "/ws/iPhone15ProMaxReviewVideo/",
                "/ws/GetMyUserByIdOrByNameIfAny/",
                "/at/12:345678:abc/",
            )
        ],
    ],
)
def test_what_is_secret_in_a_path_is_cut(path, told):
    assert address(path.encode(), b"", []) == told


@pytest.mark.parametrize(
    ("path", "query", "text", "told"),
    [
        (
            b"/invite/waESVCJy1rYTRx_0-F8CRM9_u8pe/",
            b"",
            "to_waESVCJy1rYTRx_0-F8CRM9_u8pe",
            "to_waES…",
        ),
        (b"/", b"token=gAAA%2BAA%2Fs3cr3t%3D%3D", "no gAAA+AA/s3cr3t==", "no gAAA…"),
    ],
)
def test_secret_of_an_address_is_cut_in_groups_and_messages_too(path, query, text, told):
    secrets = []
    address(path, query, secrets)
    assert cut(text, secrets) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Error at redis://:s3cr3t@localhost:6379/0", "Error at redis://:…@localhost:6379/0"),
        ("postgres://anna:pa:ss@db/site", "postgres://anna:…@db/site"),
        (
            "invalid dsn: user=anna password=s3cr3t host=db",
            "invalid dsn: user=anna password=… host=db",
        ),
        ("connect(PASSWORD='s3cr3t', port=1)", "connect(PASSWORD='…', port=1)"),
        *[
            (text, text)
            for text in (
                "ws://127.0.0.1:8000/chat/@anna",
                "password authentication failed for user 'anna'",
                "a password: too short",
            )
        ],
    ],
)
def test_passwords_in_a_message_are_cut(text, told):
    assert cut(text) == told


def test_names_in_a_message_are_no_secrets():
    text = "OrderSerializerV2For3Shops4And5Customers failed at 12:345678:abc"
    assert cut(text) == text
