"""The witnesses of lesson 5, Create a consumer, and of its exercises."""

import inspect
import json
import socket
import subprocess
import sys
import time

import pytest
from channels.generic.websocket import WebsocketConsumer
from clients import DAPHNE, GIVEN_UP, client, talk
from projects import another_answer, lesson_begins
from websockets import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.uri import parse_uri

from channels_live.progress import NOT_YET, RIGHT
from channels_live.server import Server

MESSAGE = '{"message": "hello"}'
ORIGIN = {"origin": "http://localhost"}
UVICORN = "uvicorn --port 8000 --lifespan off myproject.asgi:application"
TRIED = """
import asyncio

from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from django.urls import path


class Telling(WebsocketConsumer):
    def disconnect(self, close_code):
        print(f"disconnect of {type(self).__name__}: {close_code}", flush=True)


class Echo(Telling):
    def receive(self, text_data=None, bytes_data=None):
        self.send(f"{id(self)} {len(text_data)} {type(bytes_data).__name__}")


class Binary(Telling):
    def receive(self, text_data=None, bytes_data=None):
        self.send(repr([text_data, bytes_data]))


class Broken(Telling):
    def receive(self, text_data=None, bytes_data=None):
        raise RuntimeError("out of order")


class BrokenDoor(Telling):
    def connect(self):
        raise RuntimeError("out of order")


class Closing(Telling):
    def receive(self, text_data=None, bytes_data=None):
        self.close(4000)


class NoCode(WebsocketConsumer):
    def recieve(self, text_data=None, bytes_data=None):
        raise RuntimeError("called")

    def disconnect(self):
        pass


class Deaf(Telling):
    def connect(self):
        pass


class Busy(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        print("busy", flush=True)
        await asyncio.Event().wait()

    async def disconnect(self, close_code):
        print(f"disconnect of Busy: {close_code}", flush=True)


class Blank(Telling):
    def receive(self, text_data=None, bytes_data=None):
        self.send(text_data)
        self.send("answered")


tried = [Blank, Echo, Binary, Broken, BrokenDoor, Closing, NoCode, Deaf, Busy]
websocket_urlpatterns += [path(f"{one.__name__}/", one.as_asgi()) for one in tried]
"""
# Needs a Django that is set up
PRICES = """
import django
from django.conf import settings
from django.core.exceptions import ValidationError
from django.forms import IntegerField

settings.configure()
django.setup()
price = IntegerField(min_value=1)
assert price.clean(3) == price.clean("3") == 3
for wrong in (0, -1, "three", 1.5, None, True):
    try:
        price.clean(wrong)
    except ValidationError as error:
        assert error.messages
    else:
        raise AssertionError(wrong)
"""
COUNTING = """
import json

from channels.generic.websocket import WebsocketConsumer


class CountConsumer(WebsocketConsumer):
    NUMBER

    def receive(self, text_data=None, bytes_data=None):
        message = json.loads(text_data)["message"]
        self.number += ONE
        number = self.number if isinstance(self.number, int) else len(self.number)
        self.send(text_data=json.dumps({"message": message, "number": number}))
"""
INIT = """
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.number = 0
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a site with a consumer for each thing that one may do."""
    folder = lesson_begins(6, tmp_path_factory.mktemp("tried"))
    with (folder / "myapp/routing.py").open("a") as routing:
        routing.write(TRIED)
    return folder


@pytest.fixture(scope="module")
def server(folder):
    with Server(DAPHNE, folder) as server:
        yield server


@pytest.fixture(scope="module")
def uvicorn(folder):
    with Server(UVICORN, folder, ready="Uvicorn running") as server:
        yield server


def end_of(server, path, frame):
    """Send a frame and return how the connection ends: the code and the reason."""
    with client(server, path, **ORIGIN) as websocket:
        with pytest.raises(ConnectionClosed):  # perhaps before all of it has been sent
            websocket.send(frame)
            websocket.recv(timeout=10)
        return websocket.close_code, websocket.close_reason


@pytest.mark.live
@pytest.mark.claim(
    "lesson 5",
    "(A consumer without a `connect()` of its own accepts everybody: the one that it inherits "
    "does.)",
    "`receive()` runs once for every **message** that comes in. A message is mostly one frame; a "
    "client may cut it into several, and `receive()` then gets it whole.",
    "For every connection there is a new instance of the class",
    "once, once a message,",
)
@pytest.mark.claim("solutions 5", "For every connection there is an instance of its own")
@pytest.mark.claim("hints 5.2", "Each client has an instance of its own")
@pytest.mark.claim("solutions 7", "A message may come in several frames")
def test_message_in_frames_is_received_whole(server):
    with client(server, "/Echo/", **ORIGIN) as one, client(server, "/Echo/", **ORIGIN) as other:
        one.send(["a", "bc", "def"])
        one.send("next")
        other.send("hello")
        first, second = (one.recv(timeout=10).split() for _ in range(2))
        assert (first[1], second[1]) == ("6", "4")
        assert first[0] == second[0] != other.recv(timeout=10).split()[0]


@pytest.mark.live
@pytest.mark.claim("lesson 5", "Its argument is the **close code** that the client has sent")
def test_code_is_that_of_the_client(server):
    with client(server, "/Closing/", **ORIGIN) as websocket:
        websocket.close(3001)
    server.wait_for_log("disconnect of Closing: 3001")
    # a client of its own mind: it answers the server's 4000 with 3002
    protocol = ClientProtocol(parse_uri(server.ws("/Closing/")), origin=ORIGIN["origin"])
    protocol.send_request(protocol.connect())
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"".join(protocol.data_to_send()))
        assert b" 101 " in connection.recv(4096)
        connection.sendall(Frame(Opcode.TEXT, b"close").serialize(mask=True))
        assert Close(4000, "").serialize() in connection.recv(4096)
        answer = Frame(Opcode.CLOSE, Close(3002, "").serialize())
        connection.sendall(answer.serialize(mask=True))
        server.wait_for_log("disconnect of Closing: 3002")
    assert "4000" not in str(server.log(contains="disconnect of Closing"))


@pytest.mark.live
@pytest.mark.claim(
    "lesson 5",
    'Four times, the client is told **1011**: "an error inside the server", and no word more;',
    "It is not called after an exception,",
    "An exception in `connect()` or `receive()` ends the connection, under daphne with 500 or "
    "1011, and is told only in the log. Other connections go on.",
    "and once at the end, but not after an exception.",
)
def test_exception_ends_one_connection(server):
    with client(server, "/Echo/", **ORIGIN) as bystander:
        assert end_of(server, "/Broken/", "hello") == (1011, "")
        with pytest.raises(InvalidStatus) as refused:
            client(server, "/BrokenDoor/", **ORIGIN).__enter__()
        assert refused.value.response.status_code == 500
        assert b"out of order" not in refused.value.response.body
        server.wait_for_log("RuntimeError: out of order")
        bystander.send("hello")
        assert bystander.recv(timeout=10)
    server.wait_for_log("disconnect of Echo")
    assert server.is_silent(timeout=10)
    assert "disconnect of Broken" not in str(server.log())


@pytest.mark.live
@pytest.mark.claim(
    "lesson 5",
    "It is not called after an exception, when a method of yours is still busy 10 seconds after "
    "the client has left, or when daphne stops.",
)
def test_no_disconnect_for_a_busy_consumer_and_when_daphne_stops(folder):
    command = DAPHNE.replace("-p 8000", "-p 8000 --application-close-timeout 1")
    with Server(command, folder) as server:
        with client(server, "/Busy/", **ORIGIN) as websocket:
            websocket.send("hello")
            server.wait_for_log("busy")
        server.wait_for_log("took too long to shut down and was killed")
        with client(server, "/Echo/", **ORIGIN) as websocket:
            websocket.send("hello")
            assert websocket.recv(timeout=10)
            server.end()
        assert "disconnect of" not in str(server.log())


@pytest.mark.live
@pytest.mark.claim(
    "lesson 5",
    "Without it, daphne gives up after about 5 seconds and drops the connection.",
)
def test_daphne_does_not_wait_for_ever(server):
    begin = time.monotonic()
    with pytest.raises(InvalidHandshake) as told:
        client(server, "/Deaf/", open_timeout=20, **ORIGIN).__enter__()
    assert str(told.value) in GIVEN_UP
    assert 4 < time.monotonic() - begin < 8


@pytest.mark.live
@pytest.mark.claim(
    "lesson 5",
    "daphne, since its version 4.2.2, takes 1 MiB (1,048,576 bytes) at the most. It drops the "
    "connection before your consumer sees any of it: no `receive()`, no exception, no reason in "
    "the log.",
    "Messages above 1 MiB never reach you.",
    "the number for that is 1006",
)
def test_limit_of_daphne(server):
    most = 2**20
    for message in ("x" * most, ["x" * (most // 2)] * 2):
        (answer,) = talk(server, "/Echo/", message, **ORIGIN)
        assert answer.split()[1] == str(most)
    before = len(str(server.log()))
    for message in ("x" * (most + 1), ["x" * (most // 2)] * 2 + ["x"]):
        assert end_of(server, "/Echo/", message) == (1006, "")
        server.wait_for_log("disconnect of Echo: 1006")
    assert server.is_silent(timeout=10)
    news = str(server.log())[before:]
    assert "Traceback" not in news and "exceed" not in news and "limit" not in news


@pytest.mark.live
@pytest.mark.claim(
    "lesson 5",
    "(JSON nested a hundred thousand levels deep is left: it raises a `RecursionError`, and costs "
    "its sender the connection, nobody else anything.)",
)
def test_deep_json_is_left(server):  # its consumer is that which lesson 5 keeps
    with client(server, **ORIGIN) as anna:
        assert end_of(server, "/ws/chat/", "[" * 100_000) == (1011, "")
        assert "RecursionError" in str(server.log())
        anna.send(MESSAGE)
        assert anna.recv(timeout=10) == MESSAGE


@pytest.mark.live
@pytest.mark.claim("solutions 5", "an empty text, whose answer daphne would not send")
def test_daphne_sends_no_empty_text(server):
    assert talk(server, "/Blank/", "", **ORIGIN) == ["answered"]
    assert talk(server, "/Blank/", " ", **ORIGIN) == [" "]


@pytest.mark.live
@pytest.mark.claim(
    "lesson 5",
    "(That is daphne's way; uvicorn, another ASGI server, drops the connection.)",
    "(uvicorn takes 16 MiB, and closes with 1009 above that.)",
)
def test_uvicorn_differs(uvicorn):
    assert end_of(uvicorn, "/Broken/", "hello") == (1006, "")
    (answer,) = talk(uvicorn, "/Echo/", "x" * 2**24, **ORIGIN)
    assert answer.split()[1] == str(2**24)
    assert end_of(uvicorn, "/Echo/", "x" * (2**24 + 1))[0] == 1009


@pytest.mark.live
@pytest.mark.claim(
    "lesson 5",
    "`text_data` is `None` for a binary frame, and `json.loads(None)` raises a `TypeError`, so "
    "that case is covered too. `JSONDecodeError` is a `ValueError`.",
    "Channels calls it with `bytes_data=` then.",
)
@pytest.mark.claim(
    "hints 5.3",
    "For a binary frame `text_data` is None. `json.loads` raises ValueError or TypeError, a "
    "missing key KeyError, an index into a number TypeError.",
)
def test_what_a_binary_frame_is(server):
    assert talk(server, "/Binary/", b"\0\1", **ORIGIN) == [r"[None, b'\x00\x01']"]
    for text, error in ((None, TypeError), ("no", ValueError), ("{}", KeyError), ("1", TypeError)):
        with pytest.raises(error):
            json.loads(text)["price"]
    assert issubclass(json.JSONDecodeError, ValueError)


@pytest.mark.live
@pytest.mark.claim(
    "solutions 5",
    "`recieve` is only a method that nobody calls; the one that `WebsocketConsumer` brings along "
    "is called instead, and it does nothing. `disconnect` *is* called, with the close code as its "
    "argument: without a parameter for it, that is a `TypeError`. The client has gone by then, so "
    "only the log knows.",
)
@pytest.mark.claim("hints 5.1", "the close code is handed over even if you do not use it.")
def test_names_and_parameters_of_methods(server):
    with client(server, "/NoCode/", **ORIGIN) as websocket:
        websocket.send("hello")
        websocket.close()
        assert websocket.close_code == 1000
    server.wait_for_log("NoCode.disconnect() takes 1 positional argument but 2 were given")
    assert "RuntimeError: called" not in str(server.log())
    body = inspect.getsource(WebsocketConsumer.receive).split('"""')[-1]
    assert body.strip() == "pass"


@pytest.mark.claim(
    "solutions 5", "`type(price) is int` also keeps out `true`, which Python counts as 1."
)
@pytest.mark.claim(
    "solutions 5",
    "A Django form with an `IntegerField(min_value=1)` judges the price, and has texts for what is "
    'wrong with it. It takes `"3"` for 3, though.',
)
def test_whole_numbers():
    assert json.loads("true") == 1 and type(json.loads("true")) is not int
    subprocess.run([sys.executable, "-c", PRICES], check=True)


@pytest.mark.live
@pytest.mark.parametrize(
    ("number", "changes"),
    [
        pytest.param(
            "5.1",
            {"myapp/answer.py": (r"self, close_code\):\n.*", "self, *args):\n        pass")},
            id="*args",
            marks=pytest.mark.claim("solutions 5", "`def disconnect(self, *args)` works too"),
        ),
        pytest.param(
            "5.1",
            {"myapp/answer.py": (r"    def disconnect(.|\n)*", "")},
            id="no disconnect",
            marks=pytest.mark.claim("solutions 5", "If you do not need it, leave the method out."),
        ),
        pytest.param(
            "5.2",
            {"myapp/counting.py": COUNTING.replace("NUMBER", INIT).replace("ONE", "1")},
            id="__init__",
            marks=pytest.mark.claim(
                "solutions 5", "An `__init__` that calls `super().__init__(*args, **kwargs)`."
            ),
        ),
        pytest.param(
            "5.2",
            {"myapp/counting.py": COUNTING.replace("NUMBER", "number = 0").replace("ONE", "1")},
            id="class attribute",
            marks=pytest.mark.claim("solutions 5", "A class attribute `number = 0` works as well"),
        ),
    ],
)
def test_what_else_would_do(tmp_path, number, changes):
    assert another_answer(number, tmp_path, changes).state == RIGHT


@pytest.mark.live
@pytest.mark.claim(
    "solutions 5", "a class attribute that is a *list*, though, would be shared by all clients."
)
def test_list_in_the_class_is_shared(tmp_path):
    text = COUNTING.replace("NUMBER", "number = []").replace("ONE", "[1]")
    assert another_answer("5.2", tmp_path, {"myapp/counting.py": text}).state == NOT_YET
