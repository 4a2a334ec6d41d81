"""The other ends of our wires: a scripted AMI peer, a proxy that breaks things, an AGI client.

They are what a real Asterisk cannot be asked to do on command: lie, stall, cut, send garbage.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

HOST = "127.0.4.9"
BANNER = b"Asterisk Call Manager/11.0.0\r\n"


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a TCP reset instead of an orderly end. Does nothing to what is closed."""
    connection = writer.get_extra_info("socket")
    if connection.fileno() < 0:
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class AmiPeer:
    """One accepted AMI connection, from Asterisk's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes | str) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)

    async def action(self) -> dict[str, str]:
        """The next action. Raises asyncio.IncompleteReadError when the client is gone."""
        raw = await self.reader.readuntil(b"\r\n\r\n")
        lines = raw.decode().strip().split("\r\n")
        return dict(line.split(": ", 1) for line in lines)

    def answer(self, action: dict[str, str], *headers: str, response: str = "Success") -> None:
        lines = [f"Response: {response}", f"ActionID: {action['ActionID']}", *headers, "", ""]
        self.send("\r\n".join(lines))

    def event(self, name: str, *headers: str) -> None:
        self.send("\r\n".join([f"Event: {name}", *headers, "", ""]))

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        reset(self.writer)

    async def log_in(self, boot: str = "") -> None:
        """Banner, challenge, login, greeting and device list, as Asterisk does them."""
        self.send(BANNER)
        challenge = await self.action()
        assert challenge["Action"] == "Challenge"
        self.answer(challenge, "Challenge: 1234")
        login = await self.action()
        assert login["Action"] == "Login"
        assert "Secret" not in login
        self.answer(login, "Message: Authentication accepted")
        if boot:
            self.event("FullyBooted", boot, "Status: Fully Booted")
        devices = await self.action()
        assert devices["Action"] == "DeviceStateList"
        self.answer(devices, "EventList: start", "Message: Device State Changes will follow")
        self.event("DeviceStateChange", f"ActionID: {devices['ActionID']}", "Device: PJSIP/101",
                   "State: NOT_INUSE")  # fmt: skip
        self.event(
            "DeviceStateListComplete", f"ActionID: {devices['ActionID']}", "EventList: Complete"
        )


PeerScript = Callable[[AmiPeer], Awaitable[None]]


@asynccontextmanager
async def ami_peer(script: PeerScript) -> AsyncIterator[int]:
    """A server whose every connection runs `script`, and is closed after it. Gives its port."""
    failures: list[BaseException] = []
    open_now: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_now.add(task)
        try:
            await script(AmiPeer(reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        except BaseException as error:
            failures.append(error)
        finally:
            open_now.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, HOST, 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in list(open_now):
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)
    if failures:
        raise failures[0]


class FaultProxy:
    """A TCP proxy in front of a real server. Downstream is what the server sends."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._pairs: list[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.one_byte_at_a_time = False
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.connections = 0

    async def __aenter__(self) -> "FaultProxy":
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        self._pairs.append((writer, up_writer))
        for pump in (self._pump(reader, up_writer), self._pump(up_reader, writer)):
            task = asyncio.create_task(pump)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                await self.flowing.wait()
                pieces = [bytes([b]) for b in data] if self.one_byte_at_a_time else [data]
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
        writer.close()

    def cut(self) -> None:
        """Reset every connection."""
        for pair in self._pairs:
            for writer in pair:
                reset(writer)
        self._pairs.clear()

    def inject(self, data: bytes) -> None:
        """Send the clients something that the server never said."""
        for client, _ in self._pairs:
            client.write(data)

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        self.flowing.set()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


ENVIRONMENT = {
    "agi_network": "yes",
    "agi_network_script": "route",
    "agi_request": "agi://127.0.4.1:4573/route",
    "agi_channel": "PJSIP/trunk-a-0000001f",
    "agi_language": "en",
    "agi_type": "PJSIP",
    "agi_uniqueid": "callctl-1795359121.7",
    "agi_version": "22.10.1",
    "agi_callerid": "+36301234567",
    "agi_calleridname": "Kovács Éva",
    "agi_callingpres": "0",
    "agi_callingani2": "0",
    "agi_callington": "0",
    "agi_callingtns": "0",
    "agi_dnid": "+3612345678",
    "agi_rdnis": "unknown",
    "agi_context": "from-trunk",
    "agi_extension": "+3612345678",
    "agi_priority": "5",
    "agi_enhanced": "0.0",
    "agi_accountcode": "",
    "agi_threadid": "140245061002944",
    "agi_arg_1": "+3612345678",
}


def environment(**changes: str | None) -> bytes:
    """Asterisk's environment, with some keys changed or (None) left out, with its end."""
    values = {**ENVIRONMENT, **changes}
    return "".join(f"{k}: {v}\n" for k, v in values.items() if v is not None).encode() + b"\n"


async def stall(peer: AmiPeer) -> None:
    await peer.log_in()
    while True:
        await peer.action()
