"""The servers that bench/fastagi/run.py compares: ``servers.py KIND LOOP ADDRESS PORT``."""

import asyncio
import sys
from typing import Any

import uvloop
from panoramisk.fast_agi import Application

from agi.route import route_verb
from callctl.asterisk.fastagi_server import FastAgiServer

PLAN = "1|p1|1|inbound|x|did:x||||!ring|20|0|101|101"


async def serve_ours(host: str, port: int) -> None:
    server = FastAgiServer(host, port, {"route": route_verb(lambda call: PLAN)})
    await server.start()
    await asyncio.Event().wait()


async def serve_panoramisk(host: str, port: int) -> None:
    application = Application(loop=asyncio.get_running_loop())

    async def route(request: Any) -> None:
        await request.send_command(f'SET VARIABLE CALLCTL_PLAN "{PLAN}"')

    application.add_route("route", route)
    server = await asyncio.start_server(application.handler, host, port, backlog=1024)
    await server.serve_forever()


async def serve_streams(host: str, port: int) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = await reader.readuntil(b"\n\n")
        dict(line.split(": ", 1) for line in raw[:-2].decode().split("\n"))
        writer.write(f'SET VARIABLE CALLCTL_PLAN "{PLAN}"\n'.encode())
        await reader.readline()
        writer.close()

    server = await asyncio.start_server(handle, host, port, backlog=1024)
    await server.serve_forever()


class BareProtocol(asyncio.Protocol):
    """The floor for Python: no limits, no deadline, no checks, no counting. Not for use."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.buffer = b""
        self.asked = False

    def data_received(self, data: bytes) -> None:
        if self.asked:
            self.transport.close()
            return
        self.buffer += data
        if self.buffer.endswith(b"\n\n"):
            self.asked = True
            dict([line.split(": ", 1) for line in self.buffer[:-2].decode().split("\n")])
            self.transport.write(f'SET VARIABLE CALLCTL_PLAN "{PLAN}"\n'.encode())


async def serve_bare(host: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(BareProtocol, host, port, backlog=1024)
    await server.serve_forever()


KINDS = {
    "bare": serve_bare,
    "ours": serve_ours,
    "panoramisk": serve_panoramisk,
    "streams": serve_streams,
}

if __name__ == "__main__":
    kind, loop, address, port_text = sys.argv[1:]
    main = KINDS[kind](address, int(port_text))
    if loop == "uvloop":
        uvloop.run(main)
    else:
        asyncio.run(main)
