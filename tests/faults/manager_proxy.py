"""A way to Asterisk's manager interface that can be cut, closed and flooded."""

import asyncio
import contextlib

from tests.wire.peers import reset


class ManagerProxy:
    """Listens on `address`:`port` for the daemon and passes on to Asterisk at `upstream`."""

    def __init__(self, address: str, port: int, upstream: tuple[str, int]) -> None:
        self._place = (address, port)
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._inside: set[asyncio.StreamWriter] = set()
        """Clients that have heard the beginning of a message."""
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0

    async def open(self) -> None:
        """Takes connections, from now on."""
        self._server = await asyncio.start_server(self._serve, *self._place)

    async def close(self) -> None:
        """Cuts all connections and refuses new ones."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Resets every connection."""
        for client in list(self._clients):
            reset(client)

    async def inject(self, data: bytes) -> None:
        """Says whole messages to the daemon that Asterisk never said; waits until it takes them."""
        for client in list(self._clients):
            while client in self._inside:
                await asyncio.sleep(0.001)
            with contextlib.suppress(ConnectionError):
                client.write(data)
                await client.drain()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            reset(writer)
            return
        self._clients.add(writer)
        for task in (
            asyncio.create_task(self._pump(reader, up_writer)),
            asyncio.create_task(self._pump(up_reader, writer)),
        ):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                if data.endswith(b"\r\n\r\n"):
                    self._inside.discard(writer)
                else:
                    self._inside.add(writer)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            self._clients.discard(writer)
            self._inside.discard(writer)
            writer.close()
