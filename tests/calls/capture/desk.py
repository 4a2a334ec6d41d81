"""What a recorded call needs: a fresh plain Asterisk, phones and callers on it, and the truth."""

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from callctl.demo.sip import Answer, Behaviour, Caller, Party, Phone
from tests.sip.lab import Lab, LabEndpoint

EXTENSIONS = ("201", "202", "203", "204")
NAMES = {"201": "Ada Meadow", "202": "Ben Rivers", "203": "Cleo Stone", "204": "Dan Field"}
TRUNKS = ("trunk", "trunk2")
ALICE = "00447700900101"
"""A caller's number out of Ofcom's range for drama, which nobody has."""


@dataclass(slots=True)
class Desk:
    """One Asterisk with its parties: `net`.1 is the server, .21 and .22 are the carriers."""

    net: str
    lab: Lab
    directory: Path
    stack: AsyncExitStack
    parties: list[Party] = field(default_factory=list)
    damage: Callable[[bytes], bytes] = lambda journal: journal
    """What happened to the file after Asterisk wrote it."""

    async def phone(self, extension: str, behaviour: Behaviour | None = None) -> Phone:
        """A registered phone."""
        phone = Phone(
            extension,
            f"{self.net}.{extension}",
            self.lab.address,
            self.directory,
            secret=f"secret-{extension}",
            behaviour=behaviour or Answer(after=0.4),
        )
        self.parties.append(phone)
        return await self.stack.enter_async_context(phone)

    async def carrier(self, name: str, behaviour: Behaviour) -> Phone:
        """A carrier that is called."""
        address = f"{self.net}.{21 + TRUNKS.index(name)}"
        phone = Phone(name, address, self.lab.address, self.directory, behaviour=behaviour)
        self.parties.append(phone)
        return await self.stack.enter_async_context(phone)

    async def outside(self, to: str, user: str = ALICE, **how: Any) -> Caller:
        """A call from outside, by the first trunk."""
        caller = Caller(
            "trunk", f"{self.net}.21", self.lab.address, self.directory, to=to, user=user, **how
        )
        self.parties.append(caller)
        return await self.stack.enter_async_context(caller)

    async def inside(self, extension: str, to: str, **how: Any) -> Caller:
        """A call that an extension places."""
        caller = Caller(
            extension,
            f"{self.net}.{extension}",
            self.lab.address,
            self.directory,
            to=to,
            secret=f"secret-{extension}",
            **how,
        )
        self.parties.append(caller)
        return await self.stack.enter_async_context(caller)

    def seen(self) -> list[dict[str, Any]]:
        """What every party saw, in order of time."""
        calls = [c for party in self.parties for c in party.calls]
        return [dataclasses.asdict(c) for c in sorted(calls, key=lambda c: c.invited_at)]


def expected(caller: Party | None = None, **fields: Any) -> dict[str, Any]:
    """What the record must say; waiting and talk are what the caller's own phone measured."""
    if caller is None:
        return fields
    saw = caller.calls[-1]
    ended = saw.ended_at or 0.0
    answered = saw.answered_at
    rough = {
        "started_at": saw.invited_at,
        "wait_seconds": (answered or ended) - saw.invited_at,
        "talk_seconds": (ended - answered) if answered else 0.0,
    }
    return {**fields, "rough": {k: round(v, 2) for k, v in rough.items()}}


def inventory() -> dict[str, Any]:
    """As `callctl journal build --inventory` wants it."""
    return {"trunks": list(TRUNKS), "extensions": {e: f"PJSIP/{e}" for e in EXTENSIONS}}


def endpoints(net: str) -> list[LabEndpoint]:
    """What the laboratory's Asterisk knows."""
    carriers = [LabEndpoint(t, address=f"{net}.{21 + n}") for n, t in enumerate(TRUNKS)]
    phones = [LabEndpoint(e, secret=f"secret-{e}", caller_name=NAMES[e]) for e in EXTENSIONS]
    return [*carriers, *phones]


def attempt(extension: str, result: str, **more: Any) -> Mapping[str, Any]:
    """One attempt as the record must list it."""
    return {"extension": extension, "result": result, **more}
