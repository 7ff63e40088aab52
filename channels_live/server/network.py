"""`Network`: a way to a server that fails when it is told to."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from channels_live.sends import SENDS
from channels_live.server.diagnosis import ServerError
from channels_live.server.ports import LOOPBACK
from channels_live.server.server import Events, Server

NOTICE = 5.0  # seconds in which a server notices that a connection has been cut
CHUNK, CHUNKS = 65536, 8  # bytes that are read at once; how many of these are under way at most
UP, DOWN = 0, 1  # from client to server, and back


class Network:
    """Stands between a server and those of its clients that connect to `ws()`.

    server: where it leads to. It listens on 127.0.0.1, and ends with this process.

    `cut`, `hold` and `delay` break it, for the clients that are named or for all; `mend` repairs
    it. Each prints what it has done.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self._ways: list[_Way] = []
        self._held, self._delays = [False, False], [0.0, 0.0]  # of connections that come later
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True, name="network").start()
        listening = asyncio.start_server(self._accept, LOOPBACK, 0)
        self._listener = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        self._port: int = self._listener.sockets[0].getsockname()[1]
        self.running = True

    def ws(self, path: str = "/") -> str:
        """Return the address of a WebSocket on the server, by way of this network.

        Say so if nobody can connect there now, because the network holds what comes.
        """
        if not self.running:
            raise ServerError("This network has been stopped. Run the cell that makes it again.")
        if any(self._held):
            print("Still held: nobody gets through before network.mend()")
        return f"ws://{LOOPBACK}:{self._port}{path}"

    def cut(self, *clients: Any) -> None:
        """End connections at both ends, without a close frame. Wait until the server has noticed.

        clients: connections of `websockets`; without any, all that go through here. Raises
        ServerError if one does not.
        """
        chosen = self._chosen(clients)
        ways = [way for way in chosen if not way.server_has_ended]  # the others are no news
        ports = {way.port for way in ways}
        self._do(*(way.cut for way in chosen))
        self.server.events(NOTICE, until=lambda events: ports <= _closed(events))
        print(f"Cut: {len(ways)} connection{'s' * (len(ways) != 1)}")

    def hold(self, *clients: Any, answers: bool = False) -> None:
        """Let nothing arrive any more, and tell neither end.

        clients: as in `cut`; without any, those too that come later. answers: hold only what the
        server says, and pass on what it is told.
        """
        self._treat(clients, held=[not answers, True])
        print("Held: what the server says" if answers else "Held: everything, both ways")

    def delay(self, seconds: float, *clients: Any) -> None:
        """Let everything arrive so many seconds later, each way. clients: as in `hold`."""
        self._treat(clients, delays=[seconds, seconds])
        print(f"Delayed: everything, by {seconds:g} seconds each way")

    def mend(self) -> None:
        """Pass on what was held, and all that comes, without a delay."""
        self._treat((), held=[False, False], delays=[0.0, 0.0])
        print("Mended: everything passes")

    def end(self) -> None:
        """End it, and all connections through it."""
        if self.running:
            self.running = False
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)

    async def _end(self) -> None:
        self._listener.close()
        for way in self._ways:
            way.cut()
        # or Python would say of each task that it was destroyed, whenever it notices
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection(LOOPBACK, self.server.port)
        except OSError:
            writer.transport.abort()
            return
        if not self.running:
            writer.transport.abort()
            there[1].transport.abort()
            return
        way = _Way((reader, writer), there)
        way.treat(self._held, self._delays)
        SENDS.relay(way.client_port, way.port)
        self._ways.append(way)
        await way.end()
        self._ways.remove(way)

    def _chosen(self, clients: tuple[Any, ...]) -> "list[_Way]":
        ports = {client.local_address[1] for client in clients}
        ways = [way for way in list(self._ways) if way.client_port in ports or not clients]
        if len(ways) < len(ports):
            raise ServerError(
                "A client does not go through this network, or its connection has ended. "
                "Connect it to network.ws(…)."
            )
        return ways

    def _treat(
        self,
        clients: tuple[Any, ...],
        held: list[bool] | None = None,
        delays: list[float] | None = None,
    ) -> None:
        ways = self._chosen(clients)
        if not clients:
            self._held, self._delays = held or self._held, delays or self._delays
        self._do(*(partial(way.treat, held, delays) for way in ways))

    def _do(self, *functions: Callable[[], None]) -> None:
        """Call functions on the network's own event loop."""

        async def call() -> None:
            for function in functions:
                function()

        asyncio.run_coroutine_threadsafe(call(), self._loop).result()


class _Way:
    """A connection through the network: its two ends, and a pipe for each direction.

    client_port: the port from which the client came. port: the one from which the server sees it.
    """

    def __init__(self, client: "_End", server: "_End") -> None:
        self._writers = client[1], server[1]
        self.client_port: int = client[1].get_extra_info("peername")[1]
        self.port: int = server[1].get_extra_info("sockname")[1]
        self._pipes = _Pipe(client[0], server[1]), _Pipe(server[0], client[1])
        self._tasks = [asyncio.create_task(pipe.carry()) for pipe in self._pipes]

    @property
    def server_has_ended(self) -> bool:
        return self._pipes[DOWN].ended

    def treat(self, held: list[bool] | None, delays: list[float] | None) -> None:
        for direction, pipe in enumerate(self._pipes):
            if held is not None:
                pipe.hold(held[direction])
            if delays is not None:
                pipe.delay = delays[direction]

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()

    async def end(self) -> None:
        """Wait until both directions have ended, and close what is left."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()


class _Pipe:
    """One direction of a connection.

    delay: how late everything arrives, in seconds. ended: whether there is no more to come.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._passes = asyncio.Event()
        self._under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(CHUNKS)
        self.delay, self.ended = 0.0, False

    def hold(self, held: bool) -> None:
        if held:
            self._passes.clear()
        else:
            self._passes.set()

    async def carry(self) -> None:
        reading = asyncio.create_task(self._read())
        try:
            await self._write()
        finally:
            reading.cancel()

    async def _read(self) -> None:
        while not self.ended:
            data = b""
            with contextlib.suppress(ConnectionError):
                data = await self._reader.read(CHUNK)
            self.ended = not data
            await self._under_way.put((asyncio.get_running_loop().time() + self.delay, data))

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                due, data = await self._under_way.get()
                await asyncio.sleep(due - asyncio.get_running_loop().time())
                await self._passes.wait()
                if not data:
                    self._writer.write_eof()
                    return
                self._writer.write(data)
                await self._writer.drain()


_End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _closed(events: Events) -> set[int | None]:
    """Return the ports of those whose connection has ended, as a server sees them."""
    ended = {(event["process"], event["conn"]) for event in events if event["kind"] == "close"}
    return {
        event["peer"]
        for event in events
        if event["kind"] == "open" and (event["process"], event["conn"]) in ended
    }
