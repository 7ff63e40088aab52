"""A command that does not get ready says why, at once, and leaves nothing behind."""

import socket

import psutil
import pytest
from clients import DAPHNE, HELLO, RUNSERVER, talk

from channels_live.server import ServerError, diagnosis, ports
from channels_live.server.ports import free_port

NO_RELOAD = f"{RUNSERVER} --noreload"


def children():
    """Return the numbers of the processes that this one has started, directly or not."""
    return {process.pid for process in psutil.Process().children(recursive=True)}


@pytest.fixture
def fails(start):
    """Return a function that starts a command in vain, and returns what it is told."""

    def fails(command, **options):
        before = children()
        with pytest.raises(ServerError) as caught:
            start(command, **options)
        assert not children() - before
        message = str(caught.value)
        assert message.startswith(f"`{command}` did not start.\n")
        return message.partition("\n")[2]

    return fails


def change(file, old, new):
    """Change a learner's file."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_port_that_is_not_the_commands_is_told_as_the_program_does():
    log = "OSError: [Errno 98] Address already in use: ('127.0.0.1', 9000)\n"
    error = diagnosis.exited(log, 1, None, 0, "python line_server.py")
    assert error.reason == f"{log.rstrip()} (exit code 1)"


# The port is taken


@pytest.fixture
def taken(monkeypatch):
    """Return a port that another program has."""
    monkeypatch.delenv("CHANNELS_LIVE_ANY_PORT", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


COMMANDS_WITH_PORT = ["daphne -p {} myproject.asgi:application", NO_RELOAD + " {}"]


@pytest.mark.parametrize("command", COMMANDS_WITH_PORT)
def test_another_port_is_used_for_a_taken_one(forked, start, taken, capsys, command):
    server = start(command.format(taken))
    assert server.port != taken
    said = capsys.readouterr().out
    assert said.startswith(f"Port {taken} is taken by another program: this server gets port ")
    assert said.endswith(f" {server.port}, {server.url()}\n")
    assert talk(server, "/ws/chat/", HELLO) == [HELLO]
    assert str(server.port) in server.log()
    server.stop()


@pytest.mark.parametrize("command", [*COMMANDS_WITH_PORT, RUNSERVER + " {}"])
def test_taken_port_is_named_where_no_other_will_do(forked, fails, taken, command):
    message = fails(command.format(taken), fallback=False)
    assert message.startswith(f"Port {taken} is taken by another program.")


def test_taken_port_is_named_before_channels(forked, fails, taken):
    message = fails(f"{RUNSERVER} {taken} --settings=myproject.plain_settings", fallback=False)
    assert message.startswith(f"Port {taken} is taken by another program.")


@pytest.mark.parametrize("command", COMMANDS_WITH_PORT)
def test_port_may_be_taken_just_after_a_look(forked, start, monkeypatch, capsys, command):
    monkeypatch.delenv("CHANNELS_LIVE_ANY_PORT")
    others = []

    def look(port, host):
        others.append(socket.create_server((host, port)))
        return True

    monkeypatch.setattr(ports, "is_free", look)
    port = free_port()
    server = start(command.format(port))
    assert server.port != port
    assert capsys.readouterr().out.startswith(f"Port {port} is taken by another program")
    assert talk(server, "/ws/chat/", HELLO) == [HELLO]
    server.stop()
    others[0].close()


def test_port_beyond_all_ports(forked, fails, monkeypatch):
    monkeypatch.delenv("CHANNELS_LIVE_ANY_PORT")
    assert "65535" in fails("daphne -p 99999 myproject.asgi:application")


def test_error_of_a_taken_port_can_be_told_from_others(forked, start, taken):
    with pytest.raises(ServerError) as caught:
        start(f"daphne -p {taken} myproject.asgi:application", fallback=False)
    assert caught.value.port_taken


# The learner's files


EVERY_SERVER = [DAPHNE, RUNSERVER, NO_RELOAD, "python manage.py runworker jobs"]


@pytest.mark.parametrize("command", EVERY_SERVER)
def test_syntax_error_is_told_with_file_and_line(forked, fails, site, command):
    change(site / "myapp/routing.py", "websocket_urlpatterns = [", "websocket_urlpatterns = = [")
    message = fails(command)
    assert message.startswith("myapp/routing.py, line 6: SyntaxError: invalid syntax")
    assert "    websocket_urlpatterns = = [" in message
    assert str(site) not in message


@pytest.mark.parametrize("command", [DAPHNE, NO_RELOAD])
def test_unknown_module_is_told_with_file_and_line(forked, fails, site, command):
    change(site / "myapp/routing.py", "from . import consumers", "from . import consumer")
    reason = "myapp/routing.py, line 4: ImportError: cannot import name 'consumer'"
    assert fails(command).startswith(reason)


@pytest.mark.parametrize(
    ("path", "content", "meant"),
    [
        ("channels.py", "", "Is there a file channels.py in your project?"),
        ("myapp/consumers.py", "%%writefile myapp/consumers.py\n", "in the file itself, leave"),
    ],
)
def test_what_python_does_not_say_is_added(fails, site, path, content, meant):
    (site / path).write_text(content)
    assert meant in fails(DAPHNE).partition("The last lines")[0]


@pytest.mark.parametrize("command", [DAPHNE, RUNSERVER, NO_RELOAD])
def test_missing_settings(forked, fails, site, command):
    (site / "myproject/settings.py").unlink()
    reason = "ModuleNotFoundError: No module named 'myproject.settings'"
    place = "myproject/asgi.py, line 7: " if command == DAPHNE else ""
    assert fails(command).startswith(place + reason)


@pytest.mark.parametrize("command", [RUNSERVER, NO_RELOAD])
def test_unknown_app(forked, fails, site, command):
    change(site / "myproject/settings.py", '"channels"', '"channel"')
    assert fails(command).startswith("ModuleNotFoundError: No module named 'channel'")


@pytest.mark.parametrize("command", [RUNSERVER, NO_RELOAD])
def test_missing_asgi_application(forked, fails, site, command):
    change(site / "myproject/settings.py", "ASGI_APPLICATION", "NOTHING")
    reason = "CommandError: You have not set ASGI_APPLICATION, which is needed to run the server."
    assert fails(command).startswith(reason)


@pytest.mark.parametrize("command", [RUNSERVER, NO_RELOAD])
def test_daphne_behind_the_static_files(forked, fails, site, command):
    with (site / "myproject/settings.py").open("a") as settings:
        settings.write("INSTALLED_APPS.append(INSTALLED_APPS.pop(0))\n")
    first, rest = fails(command).split("\n", 1)
    assert first == "SystemCheckError: System check identified some issues:"
    assert "(daphne.E001) Daphne must be listed before django.contrib.staticfiles" in rest


def test_missing_channel_layers(forked, fails, site):
    change(site / "myproject/settings.py", "CHANNEL_LAYERS", "NOTHING")
    message = fails("python manage.py runworker jobs")
    assert message.startswith("CommandError: You do not have any CHANNEL_LAYERS configured.")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("daphne nowhere:application", "ModuleNotFoundError: No module named 'nowhere'"),
        ("daphne myproject.asgi", "ValueError: not enough values to unpack (expected 2, got 1)"),
        ("daphne myproject.asgi:app", "AttributeError: module 'myproject.asgi' has no attribute"),
    ],
)
def test_unknown_application(forked, fails, command, reason):
    assert fails(command).startswith(reason)


# The process


def test_process_exits_with_an_error(fails, site):
    (site / "myproject/asgi.py").write_text("print('first')\nraise SystemExit('I give up')\n")
    lines = fails(DAPHNE).splitlines()
    told = ["I give up (exit code 1)", "The last lines of its log:", "    first", "    I give up"]
    assert lines == told


def test_process_exits_without_a_word(fails, site):
    (site / "myproject/asgi.py").write_text("import os\n\nos._exit(3)\n")
    assert fails(DAPHNE) == "no reason given (exit code 3)"


def test_command_is_wrong(fails):
    assert fails("daphne -p") == (
        "daphne: error: argument -p/--port: expected one argument\n"
        "In a terminal, `--help` lists what it takes."
    )


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("python -m daphne -q", "python -m daphne"),
        ("./manage.py runserver -q", "manage.py runserver"),
    ],
)
def test_wrong_argument_is_told_in_the_words_of_a_terminal(command, program):
    name = program.replace("python -m daphne", "__main__.py")
    log = f"usage: {name} [-h] …\n{name}: error: unrecognized arguments: -q\n"
    error = diagnosis.exited(log, 2, None, 0, command)
    assert error.reason.startswith(f"{program}: error: unrecognized arguments: -q\n")


def test_only_the_last_lines_of_a_long_log_are_shown(fails, site):
    (site / "myproject/asgi.py").write_text("print(*range(1000), sep='\\n')\nraise SystemExit(1)\n")
    message = fails(DAPHNE)
    assert message.startswith("999 (exit code 1)\n")
    assert len(message.splitlines()) < 20


@pytest.mark.parametrize("command", [DAPHNE, RUNSERVER])
def test_server_that_never_listens_names_the_timeout(fails, site, command):
    (site / "myproject/asgi.py").write_text("import threading\n\nthreading.Event().wait()\n")
    message = fails(command, timeout=1.5)
    assert message.startswith(
        "it never listened on port 8000, and was ended after 1.5 seconds (timeout=)"
    )


def test_command_that_never_gets_ready_names_the_timeout(fails):
    command = "python -c 'print(1, flush=True); import threading; threading.Event().wait()'"
    message = fails(command, ready="2", timeout=0.5)
    assert message.startswith("it never printed '2', and was ended after 0.5 seconds (timeout=)")
    assert message.endswith("\n    1")


def test_server_that_ignores_the_polite_end_is_ended(fails, site):
    stubborn = "import signal\nimport time\n\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    (site / "myproject/asgi.py").write_text(stubborn + "time.sleep(60)\n")
    assert "never listened" in fails(DAPHNE, timeout=0.5)


# Refused before anything starts


def test_unknown_program(start):
    with pytest.raises(ServerError, match=r"There is no program called 'dafne'\. Is it"):
        start("dafne -p 8000 myproject.asgi:application")


@pytest.mark.parametrize("command", ["", "   "])
def test_empty_command(start, command):
    with pytest.raises(ServerError, match="There is no command to start"):
        start(command)


def test_quotation_mark_without_its_partner(start):
    with pytest.raises(ServerError, match="No closing quotation"):
        start("daphne 'myproject.asgi:application")


def test_unknown_command_must_say_when_it_is_ready(start):
    with pytest.raises(
        ServerError, match=r'ready="\.\.\."\)\. A command that ends runs in a cell: `!python'
    ):
        start("python -m http.server")


# Later


def test_restart_tells_what_was_broken_meanwhile(forked, start, site):
    server = start()
    port = server.port
    change(site / "myapp/routing.py", "websocket_urlpatterns = [", "websocket_urlpatterns = = [")
    with pytest.raises(ServerError, match=r"myapp/routing.py, line 6: SyntaxError"):
        server.restart()
    assert not server.running
    change(site / "myapp/routing.py", "websocket_urlpatterns = = [", "websocket_urlpatterns = [")
    server.restart()
    assert server.port == port
    assert talk(server, "/ws/chat/", HELLO) == [HELLO]
    server.stop()


def test_notebook_shows_the_message_and_none_of_our_frames(start):
    with pytest.raises(ServerError) as caught:
        start("")
    assert caught.value._render_traceback_() == [f"ServerError: {caught.value}"]
