"""The server that bench/fastagi measures: ``python -m bench.fastagi.servers KIND ADDRESS PORT``.

``ours`` is the daemon's own way from the question to the plan, with the full routing table;
``bare`` the floor of Python: the same wire without checks, limits, counting, or a plan to make.
"""

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any, cast

import uvloop
from msgspec.structs import replace

from agi.route import route_verb
from bench.routing import routing_yaml
from callctl.asterisk.fastagi import AgiCall
from callctl.asterisk.fastagi_server import FastAgiServer
from callctl.core.routing.encoding import encode_plan
from callctl.core.routing.model import Account
from callctl.features.routing.document import parse_document
from callctl.features.routing.prepare import prepare
from callctl.features.routing.service import RoutingService
from callctl.features.routing.store import Memories, RoutingStore, Snapshot, StoredAccount

EXTENSIONS = 5_000
DIDS = 10_000
PLAN = "1|p1|1|inbound|x|did:x||||!ring|20|0|101|101"


class TableInMemory:
    """What the routing service asks of its store, from a document instead of PostgreSQL."""

    def __init__(self, extensions: int, dids: int) -> None:
        account = Account(1, "main", "Bench", timezone="Europe/Budapest", country="HU")
        document, _ = parse_document(routing_yaml(extensions, dids, "127.0.11.21"))
        before = replace(document, trunks=[], extensions=[], dids=[])
        empty = Snapshot((StoredAccount(account, before, {}),), {}, 0)
        ready = prepare(document, account.id, empty, {})
        self._snapshot = Snapshot((ready.stored,), ready.credentials, 1)

    async def get_snapshot(self) -> Snapshot:
        return self._snapshot

    async def get_memories(self) -> Memories:
        return Memories({}, {}, {})


async def serve_ours(host: str, port: int) -> None:
    routing = RoutingService(cast(RoutingStore, TableInMemory(EXTENSIONS, DIDS)))
    await routing.load()

    def decide(call: AgiCall) -> str:
        plan = routing.decide(
            endpoint=call.endpoint,
            uniqueid=call.uniqueid,
            dialled=call.dialled,
            caller_number=call.caller_number,
            caller_name=call.caller_name,
            withheld=call.withheld,
            now=datetime.now(UTC),
            linkedid=call.linkedid,
        )
        return encode_plan(plan)

    server = FastAgiServer(host, port, {"route": route_verb(decide)})
    await server.start()
    await asyncio.Event().wait()


class BareProtocol(asyncio.Protocol):
    """No limits, no deadline, no checks. Not for use."""

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
    server = await asyncio.get_running_loop().create_server(BareProtocol, host, port, backlog=1024)
    await server.serve_forever()


KINDS = {"ours": serve_ours, "bare": serve_bare}

if __name__ == "__main__":
    kind, address, port_text = sys.argv[1:]
    uvloop.run(KINDS[kind](address, int(port_text)))
