"""Measures what it costs to watch a server and to check an exercise: `make bench`.

A second table, from bench_fanout.py, tells how fast one message reaches everybody in a room. And
bench_soak.py tells what a deployed site loses, if it is asked for by name.

A server with the tap and one without it take turns, so that whatever else the computer does
falls on both. The ratio of a pair of servers is the median of the ratios of its turns; the table
shows the median over all pairs, and the range.
"""

import argparse
import contextlib
import functools
import multiprocessing
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from statistics import median, quantiles

import psutil
from jupyter_client.manager import start_new_kernel

from channels_live.exercise import tasks
from channels_live.progress import RIGHT
from channels_live.server import Server
from channels_live.server.ports import free_port
from channels_live.server.process import Process
from channels_live.workspace import NOTEBOOKS, SAMPLE, copy_project, lay_out, project_before

PAIRS, QUICK = 15, 3
TURNS, ECHOES = 20, 100  # of a pair, for each kind of consumer
APPLICATION = "myproject.asgi:application"
PROGRAMS = {  # the option for its port, and what it says when it listens
    "daphne": ("-p", "Listening on TCP address"),
    "uvicorn": ("--port", "Uvicorn running on"),
}
CONSUMERS = """
import asyncio

from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer


class AsyncEcho(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data)


class Hanging(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await asyncio.sleep(600)


class SyncEcho(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        self.send(text_data)
"""
ROUTES = """
from django.urls import path

from . import bench

websocket_urlpatterns += [
    path("async/", bench.AsyncEcho.as_asgi()),
    path("sync/", bench.SyncEcho.as_asgi()),
    path("hanging/", bench.Hanging.as_asgi()),
]
"""
HANDSHAKE = (
    "GET /{path}/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
TEXT = b'{"message": "hello"}'
FRAME = bytes([0x81, 0x80 | len(TEXT), 0, 0, 0, 0]) + TEXT  # masked with zeros
ANSWER = 2 + len(TEXT)  # bytes


# --- servers


def make_site(folder):
    copy_project(SAMPLE / "finished", folder)
    (folder / "myapp/bench.py").write_text(CONSUMERS)
    with (folder / "myapp/routing.py").open("a") as routing:
        routing.write(ROUTES)


@contextlib.contextmanager
def tapped(folder, program="daphne"):
    option, _ = PROGRAMS[program]
    server = Server(f"{program} {option} {free_port()} {APPLICATION}", folder)
    try:
        yield server
    finally:
        with contextlib.redirect_stdout(None):
            server.stop()


@contextlib.contextmanager
def bare(folder, program="daphne"):
    port, (option, listening) = free_port(), PROGRAMS[program]
    # As in a terminal of its own. Linux shares out its time by session: a server in the session
    # of its client answers that one sooner, tapped or not.
    process = subprocess.Popen(
        [sys.executable, "-m", program, option, str(port), APPLICATION],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    process.port = port
    try:
        if not any(listening in line for line in process.stderr):
            raise RuntimeError(f"{program} did not start: exit code {process.wait()}")
        yield process
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


# --- a client without the work of a library, which would hide part of the difference


def connect(port, path):
    wire = socket.create_connection(("127.0.0.1", port), timeout=10)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wire.sendall(HANDSHAKE.format(path=path, port=port).encode())
    answer = receive(wire, len(b"HTTP/1.1 101 "))
    if not answer.endswith(b" 101 "):
        raise RuntimeError(f"no WebSocket: {answer.decode()}")
    while not answer.endswith(b"\r\n\r\n"):
        answer += receive(wire, 1)
    return wire


def receive(wire, size):
    content = b""
    while len(content) < size:
        if not (part := wire.recv(size - len(content))):
            raise RuntimeError("the server hung up")
        content += part
    return content


def exchange(wire, times):
    """Send a frame and await its echo, so many times. Return how long each took, in µs."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        wire.sendall(FRAME)
        receive(wire, ANSWER)
        took.append((time.perf_counter() - start) * 1e6)
    return took


def echo_in_turns(ports, path, turns, times):
    """Return the median time of an echo of each server, turn by turn."""
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(connect(port, path)) for port in ports]
        took = [[median(exchange(wire, times)) for wire in wires] for _ in range(1 + turns)]
    return took[1:]  # the first sees what happens only once


# --- measures: what → unit, bar, and for each pair of servers its turns: [(tapped, bare), …]


@contextlib.contextmanager
def on_cores_of_their_own(servers):
    """Keep servers on one core, and all else that is measured on another, while this lasts.

    Otherwise Linux may put the two threads of a sync consumer on one core or on two, and waking
    one on a core that sleeps takes longer than all that the tap does.
    """
    free = os.sched_getaffinity(0)
    first, *others = sorted(free)

    def place(process, cores):
        for thread in process.threads():  # those that it starts later take theirs over
            os.sched_setaffinity(thread.id, cores)

    for server in servers:
        place(server, {first})
    place(psutil.Process(), set(others) or free)
    try:
        yield
    finally:
        place(psutil.Process(), free)


def with_each_program(measure):
    """Make a measure of one with both servers."""

    @functools.wraps(measure)
    def measures(site, pairs):
        return {
            f"{name} ({program})": measured
            for program in PROGRAMS
            for name, measured in measure(site, pairs, program).items()
        }

    return measures


@with_each_program
def echo(site, pairs, program):
    """Time echoes, and how much of the CPU the server used for each, which is steadier."""
    where = {"": lambda servers: contextlib.nullcontext()}
    if hasattr(os, "sched_setaffinity"):
        where[", on one core"] = on_cores_of_their_own
    return {
        name: measured
        for cores, placed in where.items()
        for name, measured in _echo(site, pairs, program, cores, placed).items()
    }


def _echo(site, pairs, program, cores, placed):
    took, used = ({"async": [], "sync": []} for _ in range(2))
    for _ in range(pairs):
        with tapped(site / "tapped", program) as ours, bare(site / "bare", program) as theirs:
            servers = [psutil.Process(server.pid) for server in (ours, theirs)]
            # the client is a process of its own: the kernel has the record to read
            with placed(servers), multiprocessing.get_context("spawn").Pool(1) as client:
                for path in took:
                    before = [sum(server.cpu_times()[:2]) for server in servers]
                    arguments = ((ours.port, theirs.port), path, TURNS, ECHOES)
                    took[path].append(client.apply(echo_in_turns, arguments))
                    after = [sum(server.cpu_times()[:2]) for server in servers]
                    echoes = (TURNS + 1) * ECHOES / 1e6
                    used[path].append(
                        [tuple((b - a) / echoes for a, b in zip(before, after, strict=True))]
                    )
    return {
        f"echo, {path} consumer, {what}{cores}": ("µs", 1.10, measured)
        for what, by_path in (("p50", took), ("CPU", used))
        for path, measured in by_path.items()
    }


@with_each_program
def start(site, pairs, program):
    def time_of(server):
        folder = site / server.__name__  # one of its own: only the bare server keeps it compiled
        begin = time.perf_counter()
        with server(folder, program) as running, connect(running.port, "async"):
            return (time.perf_counter() - begin) * 1e3

    time_of(bare)  # not counted: it compiles the site
    measured = [[(time_of(tapped), time_of(bare))] for _ in range(pairs)]
    return {"start to first accepted socket": ("ms", 1.15, measured)}


@with_each_program
def memory(site, pairs, program):
    """Compare what would be free if the server ended (its unique set size).

    Both run at once, so that neither counts the libraries that they share.
    """

    def used(server):
        return psutil.Process(server.pid).memory_full_info().uss / 2**20

    fresh, later = [], []
    for _ in range(pairs):
        with tapped(site / "tapped", program) as ours, bare(site / "bare", program) as theirs:
            fresh.append([(used(ours), used(theirs))])
            for path in ("async", "sync"):
                echo_in_turns((ours.port, theirs.port), path, 1, 125)  # and one before
            later.append([(used(ours), used(theirs))])
    return {
        "memory (USS) after start": ("MiB", 1.05, fresh),
        "memory (USS) after 500 echoes": ("MiB", 1.05, later),
    }


def timeline(site, pairs):
    text, diagram = [], []
    with tapped(site / "tapped") as server:
        for _ in range(10):  # clients of 250 echoes; each echo makes four events
            with connect(server.port, "sync") as wire:
                exchange(wire, 250)
        for _ in range(pairs):
            begin = time.perf_counter()
            timeline = server.timeline()
            str(timeline)
            text.append(time.perf_counter() - begin)
            timeline.mermaid()
            diagram.append(time.perf_counter() - begin)
    return {
        "10,000 events as text": ("s", 1.0, text),
        "10,000 events as text and mermaid": ("s", 1.0, diagram),
    }


def checks(site, pairs):
    """Time the check of every solution; beside it the start and end of a bare daphne."""
    took, ratios = [], []
    for task in tasks():
        folder = site / task.number
        files = [*task.files(), *task.files(solved=True)]
        lay_out(folder, project_before(task.lesson + 1), files)
        (folder / ".channels_live.json").unlink()  # so that it counts as changed
        times = []
        for _ in range(max(QUICK, pairs // 5)):
            begin = time.perf_counter()
            outcome = task.judge(folder)
            times.append(time.perf_counter() - begin)
            if outcome.state != RIGHT:
                raise RuntimeError(outcome)
            begin = time.perf_counter()
            with bare(site / "bare") as server, connect(server.port, "async"):
                pass
            ratios.append((times[-1], time.perf_counter() - begin))
        took.append(median(times))
        print(f"  check of {task.number:8}{took[-1]:6.2f} s", flush=True)
    return {
        "check of an exercise, median": ("s", 1.0, [median(took)]),
        "check of an exercise, p95": ("s", 2.5, [quantiles(took, n=20)[-1]]),
        "check beside a bare daphne": ("s", 3.0, [ratios]),
    }


IN_A_KERNEL = """
import time
begin = time.perf_counter()
{code}
print(time.perf_counter() - begin)
"""
LESSON = """
from channels_live import Lesson
lesson = Lesson(5)
"""
WITH_US = f"""
{LESSON}
server = lesson.start("daphne -p {{port}} myproject.asgi:application")
address = server.ws("/ws/topics/")
"""
BY_HAND = """
import subprocess, sys
server = subprocess.Popen(
    [sys.executable, "-m", "daphne", "-p", "{port}", "myproject.asgi:application"],
    stdout=subprocess.DEVNULL,
    cwd={folder!r}, stderr=subprocess.PIPE, text=True, start_new_session=True,
)
assert any("Listening on TCP address" in line for line in server.stderr)
address = "ws://127.0.0.1:{port}/ws/topics/"
"""
CONNECT = """
from websockets.asyncio.client import connect
async with connect(address, origin="http://localhost", proxy=None):
    pass
"""
END = "server.stop() if hasattr(server, 'stop') else server.kill()"


@contextlib.contextmanager
def fresh_kernel(workspace):
    """Start a kernel. Give a function that runs a cell in it, and returns what it printed."""
    environment = os.environ | {"CHANNELS_LIVE_WORKSPACE": str(workspace)}
    manager, client = start_new_kernel(
        kernel_name="python3", env=environment, extra_arguments=["--log-level=ERROR"]
    )

    def run(source):
        printed = []
        reply = client.execute_interactive(
            source, output_hook=lambda message: printed.append(message["content"].get("text", ""))
        )
        if reply["content"]["status"] != "ok":
            raise RuntimeError(reply["content"]["evalue"])
        return "".join(printed)

    try:
        yield run
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def lesson(site, pairs):
    took = []
    for _ in range(pairs):
        with fresh_kernel(site / "workspace") as run:
            took.append(float(run(IN_A_KERNEL.format(code=LESSON)).split()[-1]))
    return {"Lesson(5) in a fresh kernel": ("s", 0.25, took)}


def kernel(site, pairs):
    """Time a kernel from its start to the first socket, with the course and with daphne alone."""
    folder = site / "by_hand"
    lay_out(folder, project_before(5))

    def time_of(code):
        begin = time.perf_counter()
        with fresh_kernel(site / "workspace") as run:
            run(code.format(port=free_port(), folder=str(folder)))
            run(CONNECT)
            took = time.perf_counter() - begin
            run(END)
        return took

    time_of(BY_HAND)  # not counted: compiles the site
    measured = [[(time_of(WITH_US), time_of(BY_HAND))] for _ in range(pairs)]
    return {"kernel, Lesson(5), first socket": ("s", 1.15, measured)}


def command(site, pairs):
    took = []
    for _ in range(pairs):
        begin = time.perf_counter()
        program = [sys.executable, "-m", "channels_live", "list"]
        environment = os.environ | {"CHANNELS_LIVE_WORKSPACE": str(site / "workspace")}
        subprocess.run(program, env=environment, stdout=subprocess.DEVNULL, check=True)
        took.append(time.perf_counter() - begin)
    return {"channels-live list": ("s", 0.4, took)}


def log(site, pairs):
    took = []
    with tapped(site / "tapped") as server, connect(server.port, "hanging") as wire:
        wire.sendall(FRAME)
        server.events(1.0, until=lambda events: [e["kind"] for e in events].count("call") > 1)
        for _ in range(pairs):
            begin = time.perf_counter()
            server.log()
            took.append(time.perf_counter() - begin)
    return {"log() beside a handler that hangs": ("s", 0.2, took)}


def keeper(site, pairs):
    """Compare a program behind its keeper with the program alone: its start, and the memory."""
    command, environment = [sys.executable, "-I", "-c", "input()"], dict(os.environ)

    def kept():
        begin = time.perf_counter()
        process = Process(command, folder=site, environment=environment, log=2)
        took = time.perf_counter() - begin
        memory.append(psutil.Process(process.pid).parent().memory_full_info().uss / 2**20)
        process.stop()
        return took

    def alone():
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        took = time.perf_counter() - begin
        process.kill()
        process.wait()
        return took

    memory = []
    more = [kept() - alone() for _ in range(pairs)]
    return {
        "start behind a keeper, more": ("s", 0.04, more),
        "memory (USS) of a keeper": ("MiB", 12, memory),
    }


def notebooks(site, pairs):
    """Time nbval, three workers, over notebooks/ beside `jupyter execute` of the same in turn."""
    paths = sorted(map(str, NOTEBOOKS.glob("*.ipynb")))

    def time_of(*command):
        environment = os.environ | {"CHANNELS_LIVE_ANY_PORT": "1"}
        environment["CHANNELS_LIVE_WORKSPACE"] = str(site / "workspace")
        begin = time.perf_counter()
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - begin

    nbval = [sys.executable, "-m", "pytest", "-q", "-n", "3", str(NOTEBOOKS)]
    serial = [sys.executable, "-m", "jupyter", "execute", *paths]
    measured = [[(time_of(*nbval), time_of(*serial))] for _ in range(max(1, pairs // 5))]
    return {"nbval beside jupyter execute": ("s", 0.30, measured)}


def stage(site, pairs):
    """Time what is typed into a page beside a notebook, until it is seen in the conversation."""
    from playwright.sync_api import sync_playwright
    from running_lab import run_all, running_lab

    now = "performance.timeOrigin + performance.now()"
    took = []
    home, course = site / "home", site / "course"
    home.mkdir()
    course.mkdir()
    with running_lab(home, course) as lab, sync_playwright() as playwright:
        begin = LESSON.replace("(5)", "(0)") + "!python manage.py migrate -v 0\n"
        start = f'server = lesson.start("daphne -p {free_port()} {APPLICATION}")'
        lab.write("bench.ipynb", begin + start, 'lesson.stage(server, Anna="/chat/lobby/")')
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        lab.open(page, "bench.ipynb")
        run_all(page)
        frame = page.locator("iframe").element_handle().content_frame()
        frame.get_by_text("Connected.").wait_for()
        page.evaluate(
            f"""() => {{
                window.seen = {{}};
                new MutationObserver(() => {{
                    for (const node of document.querySelectorAll(".cl-Row .cl-Text"))
                        seen[node.textContent] ??= {now};
                }}).observe(document.querySelector(".cl-Rows"), {{childList: true}});
            }}"""
        )
        for number in range(10 * pairs):
            text = f"typed {number}"
            frame.get_by_label("Your message").fill(text)
            sent = frame.evaluate(
                f"() => {{ document.querySelector('#chat-form').requestSubmit(); return {now} }}"
            )
            # the first frame that holds it; the page adds a key of its own
            wanted = 'text => Object.entries(seen).find(([row]) => row.includes(`"${text}"`))?.[1]'
            took.append(page.wait_for_function(wanted, arg=text).json_value() - sent)
        browser.close()
    return {"typed into a page, until it is seen": ("ms", 150.0, took)}


ALWAYS = (echo, start, memory, timeline, checks, lesson, kernel, command, log, keeper, stage)
MEASURES = {measure.__name__: measure for measure in ALWAYS}
ON_DEMAND = {"notebooks": notebooks}  # takes minutes


# --- the table


def row(what, unit, bar, measured):
    if isinstance(measured[0], float):  # nothing to compare with: the bar is in seconds
        values, ratios = [median(measured)], measured
    else:
        values = [median(turn[which] for turns in measured for turn in turns) for which in (0, 1)]
        ratios = [median(with_tap / without for with_tap, without in turns) for turns in measured]
    ratio = median(ratios)
    cells = [f"{value:.{2 if value < 1 else 0 if value >= 100 else 1}f} {unit}" for value in values]
    cells += [f"{ratio:.3f}"] if len(cells) == 2 else ["", ""]
    cells += [f"{min(ratios):.2f} - {max(ratios):.2f}", f"{bar:.2f}"]
    return line(what, *cells, "within" if ratio <= bar else "over")


def line(what, *cells):
    widths = (10, 10, 7, 13, 6, 8)
    return f"{what:54}" + "".join(
        f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True)
    )


TABLES = {"fanout": True, "soak": False}  # of bench_NAME.py; whether they are always made


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} pairs, not {PAIRS}")
    choices = [*MEASURES, *ON_DEMAND, *TABLES]
    parser.add_argument("--only", choices=choices, help="one measure")
    options = parser.parse_args()
    pairs = QUICK if options.quick else PAIRS
    print(
        f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores, "
        f"{pairs} pairs; load {psutil.getloadavg()[0]:.1f} at the beginning\n"
    )
    if options.only not in TABLES:
        compare(pairs, options.only)
    for name, always in TABLES.items():
        if name == options.only or always and options.only is None:
            import_module(f"bench_{name}").table(options.quick)  # which may import this file


def compare(pairs, only):
    print(line("what (medians)", "tapped", "bare", "ratio", "range", "bar", ""))
    with tempfile.TemporaryDirectory(prefix="channels_live_") as folder:
        site = Path(folder)
        for server in (tapped, bare):
            make_site(site / server.__name__)
        for name, measure in (MEASURES | ON_DEMAND).items():
            if name == only or only is None and name in MEASURES:
                for what, (unit, bar, measured) in measure(site, pairs).items():
                    print(row(what, unit, bar, measured), flush=True)


if __name__ == "__main__":
    main()
