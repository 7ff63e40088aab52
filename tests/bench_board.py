"""Measure how many learners a board holds: `python tests/bench_board.py [300]`.

Each learner is a real client of websockets, with a key of its own; one screen watches. It prints
what it took until all had joined, until each of three reports was acknowledged and seen on the
screen, and what the board used meanwhile. It ends by itself.
"""

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import httpx
import psutil
from websockets import connect

from channels_live.server.ports import free_port

SCRIPT = Path(sysconfig.get_path("scripts"), "channels-live")
ROUNDS = 3
MOST = 120  # seconds that all of it may take


async def learner(page, code, number, joined, go, times):
    """Join, then report each time that there is another round."""
    async with connect(page.replace("http", "ws") + "/ws/learner/", proxy=None) as websocket:
        name = f"learner {number:03}"
        join = {"do": "join", "code": code, "key": f"key-{number:030}", "name": name}
        await websocket.send(json.dumps(join))
        await answer(websocket, "joined")
        joined.append(number)
        for round in range(ROUNDS):
            await go[round].wait()
            begin = time.monotonic()
            report = {
                "exercise": "5.1",
                "state": "not yet",
                "tries": round + 1,
                "message": "m" * 300,
            }
            await websocket.send(json.dumps({"do": "report", "number": round + 1, **report}))
            await answer(websocket, "saved")
            times.append(time.monotonic() - begin)
        await go[-1].wait()


async def answer(websocket, kind):
    async for frame in websocket:
        if json.loads(frame)["is"] == kind:
            return


async def screen(page, cookie, rows):
    """Keep what a screen shows: learner → tries on 5.1."""
    options = {"additional_headers": {"Cookie": cookie}, "origin": page, "max_size": None}
    async with connect(page.replace("http", "ws") + "/ws/screen/", proxy=None, **options) as board:
        async for frame in board:
            for row in json.loads(frame).get("rows", ()):
                rows[row["id"]] = row["works"].get("5.1", {}).get("tries", 0)


async def measure(page, code, cookie, process, count):
    joined, times, rows = [], [], {}
    go = [asyncio.Event() for _ in range(ROUNDS + 1)]
    watching = asyncio.create_task(screen(page, cookie, rows))
    used, begin = cpu(process), time.monotonic()
    learners = [
        asyncio.create_task(learner(page, code, number, joined, go, times))
        for number in range(count)
    ]
    await until(lambda: len(joined) == count and len(rows) == count)
    took = time.monotonic() - begin
    print(f"all {count} joined, and on the screen: {took:.1f} s, cpu {cpu(process) - used:.1f} s")
    for tries in range(1, ROUNDS + 1):
        used, begin = cpu(process), time.monotonic()
        times.clear()
        go[tries - 1].set()
        await until(lambda: len(times) == count)
        acknowledged = time.monotonic() - begin
        await until(lambda tries=tries: [*rows.values()].count(tries) == count)
        print(
            f"all report at once: acknowledged in {acknowledged:.1f} s "
            f"(median {statistics.median(times):.1f} s), on the screen in "
            f"{time.monotonic() - begin:.1f} s, cpu {cpu(process) - used:.1f} s"
        )
    used = cpu(process)
    await asyncio.sleep(10)
    print(f"at rest: {10 * (cpu(process) - used):.1f} % of a core")
    print(f"memory: {process.memory_info().rss / 2**20:.0f} MB")
    go[-1].set()
    watching.cancel()
    await asyncio.gather(*learners)


async def until(true):
    while not true():
        await asyncio.sleep(0.02)


def cpu(process):
    times = process.cpu_times()
    return times.user + times.system


def main(count):
    with tempfile.TemporaryDirectory() as folder:
        command = [SCRIPT, "board", "--port", str(free_port())]
        board = subprocess.Popen(
            command,
            env={**os.environ, "CHANNELS_LIVE_WORKSPACE": folder},
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        try:
            text = ""
            while "Control-C" not in text and (line := board.stdout.readline()):
                text += line
            page, word = re.search(r"  you +(\S+?)/#(\S+)", text).groups()
            code = re.search(r'"([A-Z]{6})"\)', text)[1]
            with httpx.Client(base_url=page, transport=httpx.HTTPTransport(retries=9)) as client:
                client.get("/")
                token = client.cookies["board-csrf"]
                client.post("/", data={"word": word, "csrfmiddlewaretoken": token})
                cookie = f"board-session={client.cookies['board-session']}"
            process = psutil.Process(board.pid)
            measured = measure(page, code, cookie, process, count)
            asyncio.run(asyncio.wait_for(measured, MOST))
        finally:
            board.terminate()
            board.wait(30)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
