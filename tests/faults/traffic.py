"""Steady real SIP traffic, 5 calls a second, and the truth about it: what the wires showed.

Each stream is one `sipp` that places calls of one kind; its callers are numbered, so that every
call can be told from every other on both sides: an outside caller by its number, a call going out
by the number it dials, a call inside by the extension that places it.
"""

import asyncio
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from callctl.demo.sip import Answer, Behaviour, Phone, PhoneSaw, Refuse, RingOut
from callctl.demo.sip_log import SipMessage, build_calls
from callctl.demo.sip_party import Party, free_port
from callctl.demo.sip_scenario import FAILURE_CODES, render_scenario
from callctl.numbers import normalise
from tests.faults.judge import Placed

HERE = Path(__file__).parent
NET = "127.0.9"
INSIDE_ADDRESS = f"{NET}.31"
CARRIERS: Mapping[str, str] = {"carrier-a": f"{NET}.21", "carrier-b": f"{NET}.22"}
CALLERS = tuple(str(n) for n in range(300, 400))
"""Extensions that only call. Each is used again only after a hundred others."""

PHONES: Mapping[str, Behaviour] = {
    "101": RingOut(),
    "102": Answer(after=0.3),
    "103": Refuse(486),
    "104": Answer(after=0.3),
    "105": Answer(after=0.1),
    "106": RingOut(),
    "107": Answer(after=0.2),
}
CARRIER_BEHAVIOUR = Answer(after=0.3)
PARTY_SECONDS = 600
WORLD_SECONDS = 3 * 3600
SILENCE_MS = 20_000
"""A caller whose next message does not come for so long counts its call as lost."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Calls of one kind, so many `per_second`. `tried`: who is to be tried, in order."""

    name: str
    direction: str
    to: str
    tried: tuple[str, ...]
    answers: bool
    per_second: float
    talk: float
    recorded: bool = False


STREAMS: tuple[Stream, ...] = (
    Stream("at once", "inbound", "+3617000001", ("105",), True, 1.0, 1.5),
    Stream("no answer", "inbound", "+3617000002", ("101", "102"), True, 1.0, 1.0, recorded=True),
    Stream("busy", "inbound", "+3617000003", ("103", "104"), True, 1.0, 1.5),
    Stream("nobody", "inbound", "+3617000004", ("101", "106"), False, 0.5, 1.0),
    Stream("inside", "internal", "107", ("107",), True, 0.75, 1.5),
    Stream("outside", "outbound", "", ("carrier-dead", "carrier-b"), True, 0.75, 1.5),
)
"""5 calls a second, and about 15 at once."""


class Numbers:
    """Callers' numbers, none of them twice in a world's life."""

    def __init__(self) -> None:
        self._next = itertools.count(1)

    def lines(self, stream: Stream, count: int, secrets: Mapping[str, str]) -> Iterator[str]:
        """`count` calls as lines of an injection file: from, to, login."""
        for number in itertools.islice(self._next, count):
            if stream.direction == "inbound":
                yield f"+3620{number:07d};{stream.to};"
                continue
            caller = CALLERS[number % len(CALLERS)]
            to = stream.to or f"0630{number:07d}"
            login = f"[authentication username={caller} password={secrets[caller]}]"
            yield f"{caller};{to};{login}"


class StreamParty(Party):
    """Places the calls of a stream, one after the other, whatever becomes of them."""

    life_seconds = PARTY_SECONDS

    def __init__(self, stream: Stream, address: str, server: str, directory: Path) -> None:
        super().__init__(
            f"stream-{stream.name.replace(' ', '-')}",
            address,
            server,
            directory,
            port=free_port(address),
        )
        self.stream = stream

    async def place(self, lines: Sequence[str]) -> None:
        """Starts placing one call for each of `lines`; `wait` tells when the last has ended."""
        file = self._place() / f"{self.name}-{self.port}.calls"
        file.write_text("SEQUENTIAL\n" + "\n".join(lines) + "\n")
        tone = str(self._tone()) if self.stream.recorded else None
        await self._start(
            stream_scenario(self.server, self.stream.talk, tone),
            f"{self.server}:5060",
            *("-inf", str(file), "-m", str(len(lines)), "-l", "10000", "-aa"),
            # SIPp's rate is a whole number per period.
            *("-r", str(round(self.stream.per_second * 4)), "-rp", "4000"),
            *("-recv_timeout", str(SILENCE_MS)),
        )

    async def wait(self) -> None:
        """Until every call has ended."""
        if self._process is not None:
            await self._process.wait()


def stream_scenario(server: str, talk: float, tone: str | None) -> str:
    """What each caller of a stream does: calls, talks `talk` seconds if answered, hangs up."""
    values = {
        "server": server,
        "local": f"<sip:[field0]@{server}>;tag=[pid]c[call_number]",
        "to": "[field1]",
        "talk_ms": str(round(talk * 1000)),
        "authorization": "",
    }
    sdp = render_scenario("sdp", {"direction": "sendrecv", "version": "1"}).rstrip("\n")
    failures = "\n".join(
        render_scenario("failure", {"code": str(code)}).rstrip("\n") for code in FAILURE_CODES
    )
    play = f'<exec rtp_stream="{tone},-1,0"/>' if tone else ""
    values |= {"sdp": sdp, "failures": failures, "play": play}
    parts = {
        "invite": _own("stream_invite", values),
        "invite_with_login": _own("stream_invite", values | {"authorization": "[field2]"}),
        "outcome": _own("stream_outcome", values),
        "ack": render_scenario("ack", values).rstrip("\n"),
    }
    return _own("stream", values | parts)


def _own(name: str, values: Mapping[str, str]) -> str:
    return render_scenario(str(HERE / "scenarios" / name), values).rstrip("\n")


def carriers_at(server: str, directory: Path) -> dict[str, Phone]:
    """Carriers stay all the time: one that is away for a moment counts as gone for seconds."""
    carriers = {
        name: Phone(name, address, server, directory, behaviour=CARRIER_BEHAVIOUR)
        for name, address in CARRIERS.items()
    }
    for carrier in carriers.values():
        carrier.life_seconds = WORLD_SECONDS
    return carriers


class Traffic:
    """One run of all streams, with fresh phones around it.

    Phones are registered already; `secrets` are their SIP passwords.
    """

    def __init__(
        self,
        directory: Path,
        server: str,
        secrets: Mapping[str, str],
        numbers: Numbers,
        carriers: Mapping[str, Phone],
    ) -> None:
        self._carriers = carriers
        self._server = server
        self._secrets = secrets
        self._numbers = numbers
        self.phones = {
            name: Phone(name, f"{NET}.{name}", server, directory, behaviour=behaviour)
            for name, behaviour in PHONES.items()
        }
        for party in self.phones.values():
            party.life_seconds = PARTY_SECONDS
        self._streams = [
            StreamParty(
                stream,
                CARRIERS["carrier-a"] if stream.direction == "inbound" else INSIDE_ADDRESS,
                server,
                directory,
            )
            for stream in STREAMS
        ]

    async def listen(self) -> None:
        """All phones are there."""
        await asyncio.gather(*(phone.listen() for phone in self.phones.values()))

    async def place(self, seconds: float) -> None:
        """Starts placing calls, for so long."""
        for party in self._streams:
            count = round(party.stream.per_second * seconds)
            await party.place(list(self._numbers.lines(party.stream, count, self._secrets)))

    async def wait(self) -> None:
        """Until the last call has ended."""
        await asyncio.gather(*(party.wait() for party in self._streams))

    async def stop(self) -> None:
        """Ends callers and phones without a word. What they saw stays readable."""
        for party in (*self._streams, *self.phones.values()):
            await party.stop()

    def placed(self) -> list[Placed]:
        """Every call that was placed, with what each party saw of it. Reads all logs: ask once."""
        called = {**self.phones, **self._carriers}
        rang = _by_call((name, call) for name, p in called.items() for call in p.calls)
        return [
            _placed(party.stream, caller, let_in, rang)
            for party in self._streams
            for messages in [party.messages]
            for caller, let_in in _let_in(build_calls(party.name, messages), messages)
        ]


def _let_in(
    calls: Iterable[PhoneSaw], messages: Iterable[SipMessage]
) -> Iterator[tuple[PhoneSaw, bool]]:
    """`calls`, each with the time of the INVITE that was let in, and whether one was.

    An INVITE that nobody hears is sent again (RFC 3261, 17.1.1.2), one that is asked for its
    password is placed anew: what counts is the last one before the first word of an answer. An
    Asterisk that is going down says 100, then 503, and makes no channel.
    """
    heard: dict[str, float] = {}
    sent: dict[str, float] = {}
    for message in messages:
        call_id = message.header("Call-ID")
        if message.method == "INVITE" and message.sent:
            sent[call_id] = message.at
        elif message.transaction == "INVITE" and message.code not in (0, 401):
            heard.setdefault(call_id, sent[call_id])
    for call in calls:
        refused = call.final_code == 503 and call.rang_at is None
        let_in = call.call_id in heard and not refused
        yield replace(call, invited_at=heard.get(call.call_id, call.invited_at)), let_in


def _by_call(calls: Iterable[tuple[str, PhoneSaw]]) -> dict[str, list[PhoneSaw]]:
    """What was called, by what tells a call: the outside caller's number, the number dialled
    outside, the inside caller's extension."""
    found: dict[str, list[PhoneSaw]] = {}
    for name, call in sorted(calls, key=lambda pair: pair[1].invited_at):
        key = call.dialled if name in CARRIERS else call.from_number
        found.setdefault(key, []).append(call)
    return found


def _placed(
    stream: Stream, caller: PhoneSaw, let_in: bool, rang: Mapping[str, Sequence[PhoneSaw]]
) -> Placed:
    number = caller.from_number
    if stream.direction == "outbound":
        number = normalise(caller.dialled, "HU") or caller.dialled
    return Placed(
        key=(stream.direction, number),
        caller=caller,
        let_in=let_in,
        route=stream.tried,
        rang=tuple(rang.get(number, ())),
        answers=stream.answers,
        recorded=stream.recorded,
    )
