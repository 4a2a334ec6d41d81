"""Simulated SIP parties for the demo and the tests: each is one `sipp` process on its own address.

A `Phone` is called, a `Caller` calls. Both can be steered while they run (`hang_up`, `hold`,
`transfer`, …): an order is a datagram to the party's own socket with a method that no SIP network
knows, so nothing waits for a clock that need not. What happened is read from SIPp's message log.

SIPp 3.6.1 (Debian's `sip-tester`) is expected. All parties end by themselves after `LIFE_SECONDS`.
"""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from callctl.demo.sip_log import PhoneSaw, SipMessage, build_calls, parse_messages
from callctl.demo.tone import tone_hz, write_tone

SCENARIOS = Path(__file__).with_name("scenarios")
LIFE_SECONDS = 120
POLL_SECONDS = 0.02
REGISTER_SECONDS = 5.0
DIGIT_SECONDS = 0.15
"""A finger's pace: Asterisk plays each digit out for 100 ms and loses one that comes sooner."""

PHRASES = {
    302: "Moved Temporarily",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    480: "Temporarily Unavailable",
    486: "Busy Here",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    503: "Service Unavailable",
    600: "Busy Everywhere",
    603: "Decline",
}

FAILURE_CODES = (
    *(300, 301, 302, 400, 401, 402, 403, 404, 405, 406, 407, 408, 410, 413, 414, 415, 416, 420, 421),
    *(422, 423, 480, 481, 482, 483, 484, 485, 486, 487, 488, 489, 491, 493, 494, 500, 501, 502, 503),
    *(504, 505, 513, 580, 600, 603, 604, 606),
)


class SipError(RuntimeError):
    """A party that could not do what it was asked: `sipp` is missing, refused, or ended early."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Rings `after` seconds, answers, talks; hangs up after `talk` seconds or waits for the BYE."""

    after: float = 0.2
    talk: float | None = None
    rings: bool = True


@dataclass(frozen=True, slots=True)
class RingOut:
    """Rings until the other side gives up."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Gives `code` after `after` seconds, of ringing when `rings`."""

    code: int
    after: float = 0.0
    rings: bool = False


@dataclass(frozen=True, slots=True)
class Redirect:
    """Answers 302 with `contact` (a SIP URI)."""

    contact: str


@dataclass(frozen=True, slots=True)
class Silence:
    """Reachable, but never says a word to an INVITE."""


Behaviour = Answer | RingOut | Refuse | Redirect | Silence

BUSY = Refuse(486)
DECLINE = Refuse(603, after=0.2, rings=True)


def render_scenario(name: str, values: Mapping[str, str]) -> str:
    """The scenario file `name` with its ``{{placeholders}}`` filled from `values`.

    A placeholder alone on a line whose value is empty takes the line away, since an empty line
    would end a SIP message's headers. Raises KeyError for a placeholder without a value.
    """
    text = (SCENARIOS / f"{name}.xml").read_text()

    def fill(found: re.Match[str]) -> str:
        return values[found[1]]

    text = re.sub(
        r"^([ \t]*)\{\{(\w+)\}\}\n",
        lambda m: f"{m[1] if not values[m[2]].startswith(' ') else ''}{values[m[2]]}\n"
        if values[m[2]]
        else "",
        text,
        flags=re.MULTILINE,
    )
    return re.sub(r"\{\{(\w+)\}\}", fill, text)


@dataclass(slots=True)
class Party:
    """What phones and callers share: one `sipp` process, its log, its orders."""

    name: str
    address: str
    server: str
    directory: Path | None = None
    port: int = 0
    _temporary: tempfile.TemporaryDirectory[str] | None = field(default=None, init=False)
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)
    _log: Path | None = field(default=None, init=False)
    _runs: int = field(default=0, init=False)

    @property
    def calls(self) -> list[PhoneSaw]:
        """All calls of the present run, oldest first."""
        return build_calls(self.name, self.messages)

    @property
    def messages(self) -> list[SipMessage]:
        """All that crossed the wire in the present run."""
        if self._log is None or not self._log.exists():
            return []
        return parse_messages(self._log.read_bytes())

    async def until(
        self, wanted: Callable[[PhoneSaw], object], *, seconds: float = 10.0
    ) -> PhoneSaw:
        """The first call that is as `wanted`, waited for. Raises TimeoutError, saying what was seen."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    for call in self.calls:
                        if wanted(call):
                            return call
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise TimeoutError(f"{self.name} saw only {self.calls}") from None

    async def invited(self, *, seconds: float = 10.0) -> PhoneSaw:
        """The newest call as soon as its INVITE is on the wire."""
        return await self.until(lambda c: c == self.calls[-1], seconds=seconds)

    async def answered(self, *, seconds: float = 10.0) -> PhoneSaw:
        """The first call that is answered and not over yet."""
        return await self.until(lambda c: c.answered_at and not c.ended_at, seconds=seconds)

    async def ended(self, *, seconds: float = 20.0) -> PhoneSaw:
        """The newest call once it is over."""
        return await self.until(
            lambda c: c.ended_at and c.final_code and c == self.calls[-1], seconds=seconds
        )

    async def hang_up(self, call: PhoneSaw | None = None) -> None:
        """Sends BYE in `call` (None: the newest)."""
        self._order("HANGUP", call)

    async def hold(self, call: PhoneSaw | None = None) -> None:
        """Puts the far side on hold (re-INVITE, sendonly) and returns once that is agreed."""
        await self._reinvite("HOLD", call)

    async def resume(self, call: PhoneSaw | None = None) -> None:
        """Takes the far side back (re-INVITE, sendrecv)."""
        await self._reinvite("RESUME", call)

    async def transfer(self, to: str, call: PhoneSaw | None = None) -> int:
        """Blind transfer: REFER to `to` (a number). Returns the answer's code (202 = accepted)."""
        return await self._refer(f"<sip:{to}@{self.server}>", call)

    async def transfer_to_call(self, other: PhoneSaw, party: "Party", call: PhoneSaw) -> int:
        """Attended transfer: joins the far side of `call` with that of `other`, a call of `party`."""
        local, remote = party._tags(other)
        replaces = f"{other.call_id};to-tag={remote};from-tag={local}"
        escaped = replaces.replace("@", "%40").replace(";", "%3B").replace("=", "%3D")
        return await self._refer(f"<sip:{other.dialled}@{self.server}?Replaces={escaped}>", call)

    async def press(self, digits: str, call: PhoneSaw | None = None) -> None:
        """Sends each of `digits` as INFO (application/dtmf-relay), the next once one is accepted."""
        call = call or self.calls[-1]

        def accepted() -> int:
            return sum(m.transaction == "INFO" and m.code == 200 for m in self.messages)

        for digit in digits:
            before = accepted()
            self._order("DTMF", call, f"X-Digit: {digit}")
            await self.until(lambda _, before=before: accepted() > before)
            await asyncio.sleep(DIGIT_SECONDS)

    async def stop(self) -> None:
        """Ends the process without a word to anyone, and waits for its end."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()
        if self._temporary is not None:
            # The log stays readable for the process' life only in a directory of the caller's.
            pass

    def _tags(self, call: PhoneSaw) -> tuple[str, str]:
        """Our tag and the far side's in a dialog."""
        tags: dict[bool, str] = {}
        for message in self.messages:
            if message.header("Call-ID") == call.call_id and message.transaction == "INVITE":
                ours = message.sent == bool(message.method)
                for name, own in (("From", ours), ("To", not ours)):
                    found = re.search(r";tag=([^;>\s]+)", message.header(name))
                    if found:
                        tags[own] = found[1]
        return tags[True], tags[False]

    async def _reinvite(self, order: str, call: PhoneSaw | None) -> None:
        call = call or self.calls[-1]

        def agreed() -> int:
            return sum(
                1
                for m in self.messages
                if m.header("Call-ID") == call.call_id and m.method == "ACK" and m.sent
            )

        before = agreed()
        self._order(order, call)
        await self.until(lambda _: agreed() > before)

    async def _refer(self, refer_to: str, call: PhoneSaw | None) -> int:
        call = call or self.calls[-1]
        before = len(call.transfer_codes)
        self._order("TRANSFER", call, f"Refer-To: {refer_to}")
        saw = await self.until(
            lambda c: c.call_id == call.call_id and len(c.transfer_codes) > before
        )
        return saw.transfer_codes[-1]

    def _order(self, method: str, call: PhoneSaw | None, *headers: str) -> None:
        """Tells the running scenario what to do next.

        The order repeats the headers of the last INVITE received, if any, because a scenario that
        answers that INVITE afterwards copies them from the last message.
        """
        call = call or self.calls[-1]
        invites = [
            m
            for m in self.messages
            if m.method == "INVITE" and not m.sent and m.header("Call-ID") == call.call_id
        ]
        wanted = ("via", "from", "to", "cseq")
        lines = [f"{n}: {v}" for n, v in invites[-1].headers if n.lower() in wanted] if invites else []
        lines = [f"{method} sip:{self.name} SIP/2.0", *lines, f"Call-ID: {call.call_id}", *headers]
        if not invites:
            lines += [f"CSeq: 1 {method}", "From: <sip:order>;tag=o", "To: <sip:party>"]
        text = "\r\n".join([*lines, "Content-Length: 0", "", ""])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(text.encode("utf-8", "surrogateescape"), (self.address, self.port))

    def _place(self) -> Path:
        if self.directory is None:
            self._temporary = self._temporary or tempfile.TemporaryDirectory(prefix="callctl-sip-")
            return Path(self._temporary.name)
        self.directory.mkdir(parents=True, exist_ok=True)
        return self.directory

    def _tone(self) -> Path:
        path = self._place() / f"{tone_hz(self.name)}.ul"
        return path if path.exists() else write_tone(path, tone_hz(self.name))

    def _values(self, user: str) -> dict[str, str]:
        """What every scenario may need."""
        values = {"user": user, "server": self.server, "tone": str(self._tone())}
        values["sdp"] = render_scenario("sdp", {"version": "1", "direction": "sendrecv"}).rstrip()
        return values

    def _talk(self, values: dict[str, str], seconds: float | None) -> str:
        """The conversation, once `values` tells who is ``local``."""
        values = dict(values, talk_ms=_ms(LIFE_SECONDS if seconds is None else seconds))
        for version, (name, direction) in enumerate((("hold", "sendonly"), ("resume", "sendrecv"))):
            sdp = {"version": str(version + 2), "direction": direction}
            values[name] = render_scenario(
                "reinvite", dict(values, sdp=render_scenario("sdp", sdp).rstrip())
            ).rstrip()
        return render_scenario("talk", values)

    async def _start(self, scenario: str, *options: str) -> asyncio.subprocess.Process:
        """Runs `sipp` with that scenario; its log is this party's log from now on."""
        if shutil.which("sipp") is None:
            raise SipError("sipp is not installed: it is in the package sip-tester")
        self._runs += 1
        base = self._place() / f"{self.name}-{self.port}-{self._runs}"
        file = base.with_suffix(".xml")
        file.write_bytes(scenario.encode("utf-8", "surrogateescape"))
        self._log = base.with_suffix(".messages")
        self._process = await asyncio.create_subprocess_exec(
            *("sipp", "-sf", str(file), "-i", self.address, "-p", str(self.port), "-bind_local"),
            *("-mi", self.address, "-ci", self.address, "-nostdin", "-skip_rlimit"),
            *("-trace_msg", "-message_file", str(self._log)),
            *("-trace_err", "-error_file", str(base.with_suffix(".errors"))),
            *("-timeout", f"{LIFE_SECONDS}s", *options),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "TZ": "UTC", "TERM": "dumb"},
        )
        return self._process

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.stop()


@dataclass(slots=True)
class Phone(Party):
    """A party that is called. With a `secret` it registers first; a carrier has none.

    ``async with Phone("201", "127.0.0.101", server="127.0.0.1", secret="…") as phone: …``
    """

    secret: str | None = None
    behaviour: Behaviour = field(default_factory=Answer)
    port: int = 5060

    async def __aenter__(self) -> Self:
        await self.register()
        await self.listen()
        return self

    async def register(self, expires: int = 300) -> None:
        """Registers this address (0 takes it away). Raises SipError when refused."""
        if self.secret is None:
            return
        values = dict(self._values(self.name), secret=self.secret, expires=str(expires))
        process = await self._start(
            render_scenario("register", values), f"{self.server}:5060", "-m", "1"
        )
        try:
            async with asyncio.timeout(REGISTER_SECONDS):
                code = await process.wait()
        except TimeoutError:
            code = -1
            await self.stop()
        if code != 0:
            answers = [m.start_line for m in self.messages if not m.sent]
            raise SipError(f"{self.name} could not register at {self.server}: {answers}")

    async def listen(self) -> None:
        """Answers calls from now on as `behaviour` says; returns once the socket is open."""
        process = await self._start(self._scenario())
        await _until_open(self.address, self.port, process)

    async def behave(self, behaviour: Behaviour) -> None:
        """Another habit from now on: the process is exchanged, the registration stays."""
        await self.stop()
        self.behaviour = behaviour
        await self.listen()

    async def answer(self) -> None:
        """Stops ringing now and gives the answer of its behaviour."""
        self._order("ANSWER", None)

    def _scenario(self) -> str:
        values = self._values(self.name)
        values["local"] = "[$dialled];tag=[pid]p[call_number]"
        values["ringing"] = render_scenario("ringing", values).rstrip()
        values["contact"] = f"sip:{self.name}@{self.address}:{self.port}"
        ring: float = LIFE_SECONDS
        status = 480
        match self.behaviour:
            case Silence():
                return render_scenario("silent", dict(values, ring_ms=_ms(ring)))
            case Answer(after, talk, rings):
                ring = after
                values["talk"] = self._talk(values, talk).rstrip()
                values["final"] = render_scenario("answer", values).rstrip()
            case Refuse(code, after, rings):
                ring, status = after, code
            case Redirect(contact):
                ring, status, rings = 0.0, 302, False
                values["contact"] = contact
            case RingOut():
                rings = True
        if not rings:
            values["ringing"] = ""
        if "final" not in values:
            values["status"] = f"{status} {PHRASES.get(status, 'Refused')}"
            values["final"] = render_scenario("refuse", values).rstrip()
        return render_scenario("phone", dict(values, ring_ms=_ms(ring)))


@dataclass(slots=True)
class Caller(Party):
    """A party that places one call: `name` dials `to`.

    With a `secret` it is a phone and answers the server's challenge; a carrier has none. `user`,
    `domain` and `display` make the From header, sent as they are (surrogates stand for raw bytes);
    `headers` are added to the INVITE. It cancels after `patience` seconds without an
    answer, and hangs up after `talk` seconds or waits for the BYE.

    ``async with Caller("trunk", "127.0.0.21", server="127.0.0.1", to="0015550100") as caller: …``
    """

    to: str = ""
    secret: str | None = None
    user: str | None = None
    domain: str | None = None
    display: str | None = None
    headers: tuple[str, ...] = ()
    patience: float = 30.0
    talk: float | None = None
    _patience: asyncio.Task[None] | None = field(default=None, init=False)

    async def __aenter__(self) -> Self:
        await self.dial()
        return self

    async def dial(self) -> None:
        """Places the call; returns as soon as the process runs."""
        self.port = _free_port(self.address)
        await self._start(self._scenario(), f"{self.server}:5060", "-m", "1", "-aa")
        self._patience = asyncio.create_task(self._lose_patience())

    async def stop(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._patience
        # A super() without arguments does not work in a slotted dataclass before Python 3.14.
        await Party.stop(self)

    async def _lose_patience(self) -> None:
        # SIPp starts a time limit anew with each provisional answer: this one counts in all.
        while not self.calls:
            await asyncio.sleep(POLL_SECONDS)
        await asyncio.sleep(max(0.0, self.calls[0].invited_at + self.patience - time.time()))
        if self.calls and self.calls[-1].answered_at is None and self.calls[-1].ended_at is None:
            await self.give_up()

    async def give_up(self) -> None:
        """Cancels a call that is not answered yet."""
        self._order("GIVEUP", None)

    def _scenario(self) -> str:
        user = self.name if self.user is None else self.user
        values = dict(self._values(self.name), to=self.to, headers="\n    ".join(self.headers))
        domain = self.domain or self.server
        who = f"<sip:{user}@{domain}>" if user else f"<sip:{domain}>"
        display = "" if self.display is None else f'"{self.display}" '
        values["local"] = f"{display}{who};tag=[pid]c[call_number]"
        values["authorization"] = ""
        values["invite"] = render_scenario("invite", values).rstrip()
        values["authorization"] = f"[authentication username={self.name} password={self.secret}]"
        values["invite_with_login"] = render_scenario("invite", values).rstrip()
        values["ack"] = render_scenario("ack", values).rstrip()
        failures = (render_scenario("failure", {"code": str(code)}) for code in FAILURE_CODES)
        values["failures"] = "".join(failures).rstrip()
        values["outcome"] = render_scenario("outcome", values).rstrip()
        values["talk"] = self._talk(values, self.talk).rstrip()
        return render_scenario("caller", values)


def _ms(seconds: float) -> str:
    # SIPp takes 0 as "no timeout".
    return str(max(1, round(seconds * 1000)))


def _free_port(address: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


async def _until_open(address: str, port: int, process: asyncio.subprocess.Process) -> None:
    """Waits until somebody holds the UDP socket; raises SipError when the process ends instead."""
    async with asyncio.timeout(REGISTER_SECONDS):
        while True:
            if process.returncode is not None:
                raise SipError(f"sipp ended at once (exit {process.returncode}) on {address}:{port}")
            with contextlib.suppress(OSError):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                    probe.bind((address, port))
                await asyncio.sleep(POLL_SECONDS)
                continue
            return
