"""What all simulated SIP parties share: one `sipp` process, its message log, and orders to it.

An order is a datagram to the party's own socket with a method that no SIP network knows; the
scenario waits for it as it waits for the far side. So nothing needs to be timed beforehand.
"""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from callctl.demo.sip_log import PhoneSaw, SipMessage, build_calls, parse_messages
from callctl.demo.sip_scenario import LIFE_SECONDS
from callctl.demo.tone import tone_hz, write_tone

POLL_SECONDS = 0.02
DIGIT_SECONDS = 0.15
"""A finger's pace: Asterisk plays each digit out for 100 ms."""


class SipError(RuntimeError):
    """A party that could not do what it was asked: `sipp` is missing, refused, or ended early."""


class Party:
    """A phone or a carrier on its own loopback address, driven by one `sipp` at a time.

    `directory` keeps scenarios and logs; without one they are thrown away at `stop`. A process
    ends by itself after `life_seconds`.
    """

    life_seconds = LIFE_SECONDS

    def __init__(
        self, name: str, address: str, server: str, directory: Path | None = None, *, port: int
    ) -> None:
        self.name = name
        self.address = address
        self.server = server
        self.port = port
        self._directory = directory
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._log: Path | None = None
        self._past: list[SipMessage] = []
        self._runs = 0

    @property
    def messages(self) -> list[SipMessage]:
        """All that crossed the wire so far."""
        if self._log is None or not self._log.exists():
            return self._past
        return [*self._past, *parse_messages(self._log.read_bytes())]

    @property
    def calls(self) -> list[PhoneSaw]:
        """All calls so far, oldest first."""
        return build_calls(self.name, self.messages)

    async def until(
        self, wanted: Callable[[PhoneSaw], object], *, seconds: float = 10.0
    ) -> PhoneSaw:
        """The first call that is as `wanted`. Raises TimeoutError, saying what was seen."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    for call in self.calls:
                        if wanted(call):
                            return call
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise TimeoutError(f"{self.name} saw only {self.calls}") from None

    async def ringing(self, *, seconds: float = 10.0) -> PhoneSaw:
        """A call that rings and is neither answered nor over."""
        return await self.until(
            lambda c: c.rang_at and not c.answered_at and not c.ended_at, seconds=seconds
        )

    async def answered(self, *, seconds: float = 10.0) -> PhoneSaw:
        """A call that is answered, which the caller has confirmed, and not over."""
        return await self.until(lambda c: c.confirmed_at and not c.ended_at, seconds=seconds)

    async def ended(self, *, seconds: float = 20.0) -> PhoneSaw:
        """The newest call once it is over."""
        return await self.until(
            lambda c: c.ended_at and c.final_code and c.call_id == self.calls[-1].call_id,
            seconds=seconds,
        )

    async def hang_up(self, call: PhoneSaw | None = None) -> None:
        """Sends BYE in `call` (None: the newest), once it is answered here, too.

        The other side's answer may still be on its way to this one.
        """
        call = call or self.calls[-1]
        await self.until(lambda c: c.call_id == call.call_id and c.confirmed_at)
        self._order("HANGUP", call)

    async def hold(self, call: PhoneSaw | None = None) -> None:
        """Puts the far side on hold (re-INVITE, sendonly) and returns once that is agreed."""
        await self._reinvite("HOLD", call or self.calls[-1])

    async def resume(self, call: PhoneSaw | None = None) -> None:
        """Takes the far side back (re-INVITE, sendrecv)."""
        await self._reinvite("RESUME", call or self.calls[-1])

    async def transfer(self, to: str, call: PhoneSaw | None = None) -> int:
        """Blind transfer: REFER to the number `to`. Returns the answer's code (202 = accepted).

        The party hangs up by itself as soon as it is told that the transfer has succeeded.
        """
        return await self._refer(f"<sip:{to}@{self.server}>", call or self.calls[-1])

    async def transfer_to_call(self, other: PhoneSaw, party: "Party", call: PhoneSaw) -> int:
        """Attended transfer: joins the far side of `call` with that of `other`, a call of `party`.

        REFER with Replaces (RFC 3891); `other` may still be ringing.
        """
        ours, theirs = party._tags(other)
        replaces = f"{other.call_id};to-tag={theirs};from-tag={ours}"
        escaped = replaces.replace("@", "%40").replace(";", "%3B").replace("=", "%3D")
        return await self._refer(f"<sip:{other.dialled}@{self.server}?Replaces={escaped}>", call)

    async def press(self, digits: str, call: PhoneSaw | None = None) -> None:
        """Sends each of `digits` as INFO (application/dtmf-relay), one after the other."""
        call = call or self.calls[-1]
        for digit in digits:
            before = self._accepted("INFO", call)
            self._order("DTMF", call, f"X-Digit: {digit}")
            await self._until_accepted("INFO", call, before)
            await asyncio.sleep(DIGIT_SECONDS)

    async def stop(self) -> None:
        """Ends the process without a word to anyone. What was seen stays readable."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()
        self._past, self._log = self.messages, None
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def _tags(self, call: PhoneSaw) -> tuple[str, str]:
        """Our tag and the far side's in a dialog."""
        tags: dict[bool, str] = {}
        for message in self._of(call):
            if message.transaction == "INVITE":
                from_us = message.sent == bool(message.method)
                for name, ours in (("From", from_us), ("To", not from_us)):
                    found = re.search(r";tag=([^;>\s]+)", message.header(name))
                    if found:
                        tags[ours] = found[1]
        return tags[True], tags[False]

    def _of(self, call: PhoneSaw) -> list[SipMessage]:
        return [m for m in self.messages if m.header("Call-ID") == call.call_id]

    def _accepted(self, method: str, call: PhoneSaw) -> int:
        """How many of our requests of that method the far side has agreed to."""
        return sum(
            m.transaction == method and not m.sent and 200 <= m.code < 300 for m in self._of(call)
        )

    async def _until_accepted(self, method: str, call: PhoneSaw, before: int) -> None:
        await self.until(lambda _: self._accepted(method, call) > before)

    async def _reinvite(self, order: str, call: PhoneSaw) -> None:
        before = self._accepted("INVITE", call)
        self._order(order, call)
        await self._until_accepted("INVITE", call, before)

    async def _refer(self, refer_to: str, call: PhoneSaw) -> int:
        before = len(call.transfer_codes)
        self._order("TRANSFER", call, f"Refer-To: {refer_to}")
        saw = await self.until(
            lambda c: c.call_id == call.call_id and len(c.transfer_codes) > before
        )
        return saw.transfer_codes[-1]

    def _order(self, method: str, call: PhoneSaw | None, *headers: str) -> None:
        """Tells the running scenario what to do next in `call` (None: the newest).

        The order repeats the headers of the last INVITE that came in, because a scenario that
        answers that INVITE afterwards copies them from the last message it got.
        """
        if call is None:
            call = self.calls[-1]
        invites = [m for m in self._of(call) if m.method == "INVITE" and not m.sent]
        copied = {"via", "from", "to", "cseq"}
        if invites:
            lines = [f"{n}: {v}" for n, v in invites[-1].headers if n.lower() in copied]
        else:
            lines = [f"CSeq: 1 {method}", "From: <sip:order>;tag=o", "To: <sip:party>"]
        if method != "ANSWER" and (last := self._last_number(call)) is not None:
            lines = [f"CSeq: {last} {method}" if n.startswith("CSeq:") else n for n in lines]
        lines = [f"{method} sip:{self.name} SIP/2.0", *lines, f"Call-ID: {call.call_id}", *headers]
        text = "\r\n".join([*lines, "Content-Length: 0", "", ""])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(text.encode("utf-8", "surrogateescape"), (self.address, self.port))

    def _last_number(self, call: PhoneSaw) -> int | None:
        """The CSeq of our last request in a dialog; None before the first one.

        SIPp counts on from the number that it was given last. With the INVITE's own it would use
        one number twice, and the far side would take the second request for the first.
        """
        sent = [m for m in self._of(call) if m.sent and m.method and m.method != "ACK"]
        return int(sent[-1].header("CSeq").split()[0]) if sent else None

    def _place(self) -> Path:
        if self._directory is None:
            if self._temporary is None:
                self._temporary = tempfile.TemporaryDirectory(prefix="callctl-sip-")
            return Path(self._temporary.name)
        self._directory.mkdir(parents=True, exist_ok=True)
        return self._directory

    def _tone(self) -> Path:
        path = self._place() / f"{tone_hz(self.name)}.ul"
        return path if path.exists() else write_tone(path, tone_hz(self.name))

    async def _start(self, scenario: str, *options: str) -> asyncio.subprocess.Process:
        """Runs `sipp` with that scenario. Raises SipError when there is no `sipp`."""
        if shutil.which("sipp") is None:
            raise SipError("sipp is not installed: it is in the package sip-tester")
        self._past = self.messages
        self._runs += 1
        base = self._place() / f"{self.name}-{self.port}-{self._runs}"
        file, self._log = base.with_suffix(".xml"), base.with_suffix(".messages")
        self._log.unlink(missing_ok=True)
        file.write_bytes(scenario.encode("utf-8", "surrogateescape"))
        self._process = await asyncio.create_subprocess_exec(
            # A party must not outlive whoever plays it, however that one ends.
            *("setpriv", "--pdeathsig", "KILL", "--"),
            *("sipp", "-sf", str(file), "-i", self.address, "-p", str(self.port), "-bind_local"),
            *("-mi", self.address, "-ci", self.address, "-nostdin", "-skip_rlimit"),
            *("-trace_msg", "-message_file", str(self._log)),
            *("-trace_err", "-error_file", str(base.with_suffix(".errors"))),
            *("-timeout", f"{self.life_seconds}s", *options),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            # The log has local times without a zone.
            env={**os.environ, "TZ": "UTC", "TERM": "dumb"},
        )
        return self._process


def free_port(address: str) -> int:
    """A UDP port of `address` that nobody holds at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def is_held(address: str, port: int) -> bool:
    """Whether somebody holds that UDP port."""
    with (
        contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe,
        contextlib.suppress(OSError),
    ):
        probe.bind((address, port))
        return False
    return True
