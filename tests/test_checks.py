"""What the checks of exercises are written with: several servers, and what reaches them."""

import psutil
import pytest

from channels_live.checks import RAISED, NotYet, Site, at_once
from channels_live.checks.broker import broker
from channels_live.kernel import KERNEL
from channels_live.server import command as commands

BROKER_OF_ONES_OWN = {"REDIS_URL": "redis://example.test:6380/1", "CHANNEL_LAYER": "some.Layer"}


@pytest.fixture
def served(project):
    """Return a Site with two servers, started at the same time, each with a variable of its own."""
    with Site(project) as first:
        second = first.twin()
        at_once(
            lambda: first.serve(environment={"REDIS_URL": "redis://one"}),
            lambda: second.serve(environment={"REDIS_URL": "redis://two"}),
        )
        yield first, second


@pytest.mark.live
def test_twins_have_the_same_files_and_servers_of_their_own(served):
    first, second = served
    assert first.folder == second.folder
    assert first.server.port != second.server.port
    for site, other in ((first, second), (second, first)):
        before = len(other.events())
        with site.client("/ws/echo/") as client:
            client.send("hello")
            client.expect("hello", "the echo")
            client.abort()
        assert site.events("close")
        assert len(other.events()) == before
    first.__exit__()
    assert not first.server.running and not second.server.running


@pytest.mark.live
@pytest.mark.parametrize("which", [0, 1])
def test_exception_in_any_server_is_told(served, which):
    with pytest.raises(NotYet), served[which].client("/ws/broken/"):
        pass
    assert "out of order" in served[0].trouble()["your code raised"]


@pytest.mark.live
def test_broker_of_ones_own_reaches_only_what_is_meant_to_have_it(served, monkeypatch):
    first, second = served
    for name, value in BROKER_OF_ONES_OWN.items():
        monkeypatch.setenv(name, value)
    code = "import os; print({'REDIS_URL', 'CHANNEL_LAYER'} & set(os.environ))"
    assert first.python("-c", code) == (0, "set()\n")
    for site, address in ((first, "redis://one"), (second, "redis://two")):
        assert psutil.Process(site.server.pid).environ()["REDIS_URL"] == address
    variables = psutil.Process(first.serve().pid).environ()
    assert not BROKER_OF_ONES_OWN.keys() & variables.keys()


@pytest.fixture
def no_valkey(monkeypatch, tmp_path):
    """Have no broker that could be started, as on Windows."""
    monkeypatch.setattr(commands, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_without_a_broker_a_check_says_what_to_do(no_valkey, project):
    with Site(project) as site, pytest.raises(NotYet) as caught:
        broker(site)
    assert caught.value.details["got"] == commands.NO_BROKER
    assert "Your files are not at fault" in caught.value.details["look at"]
    assert site.trouble() == {}


def test_without_a_broker_a_check_takes_ones_own(no_valkey, project, monkeypatch):
    monkeypatch.setattr(KERNEL, "own_broker", BROKER_OF_ONES_OWN["REDIS_URL"])
    with Site(project) as site:
        assert broker(site) == {"REDIS_URL": BROKER_OF_ONES_OWN["REDIS_URL"]}


@pytest.mark.parametrize(
    ("log", "raised"),
    [
        (
            'Traceback (most recent call last):\n  File "a.py", line 1\n\nKeyError: 1\n',
            "KeyError: 1",
        ),
        ("Traceback (most recent call last):\nValueError: a\nb\n", "ValueError: a"),
        ("Traceback (most recent call last):\nA: 1\n\nTraceback (most …):\n  x\nB: 2\n", "B: 2"),
        ("Traceback (most recent call last):\n" + "\n \n" * 50_000, None),
        ("Traceback (most recent call last):\n" + "  x\n\n" * 50_000 + "C: 3", "C: 3"),
        ("Traceback\n" * 50_000, "Traceback"),
    ],
    ids=["plain", "several lines", "two", "endless blanks", "long", "nothing else"],
)
def test_exception_is_found_in_a_log_of_any_kind(log, raised):
    """One of these took longer than anybody waits: exponential in the number of blank lines."""
    assert RAISED.findall(log)[-1:] == [raised] * bool(raised)


def test_at_once_raises_what_one_of_them_raises():
    with pytest.raises(NotYet):
        at_once(lambda: 1, lambda: (_ for _ in ()).throw(NotYet("it")))
    assert at_once(lambda: 1, lambda: 2) == [1, 2]
