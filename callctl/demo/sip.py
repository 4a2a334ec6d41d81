"""Simulated SIP parties for the demo and the tests: a `Phone` is called, a `Caller` calls.

Each is a `sipp` process (SIPp 3.6, Debian's ``sip-tester``) on its own loopback address, sends a
tone of its own while it talks, and can be steered while it runs (`hang_up`, `hold`, `transfer`,
…). What happened to it, with times, is read from SIPp's message log: `calls`, `ended`.
"""

import asyncio
import contextlib
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from callctl.demo.sip_log import EndedBy, PhoneSaw
from callctl.demo.sip_party import POLL_SECONDS, Party, SipError, free_port, is_held
from callctl.demo.sip_scenario import (
    BUSY,
    DECLINE,
    LIFE_SECONDS,
    Answer,
    Behaviour,
    Invitation,
    Redirect,
    Refuse,
    RingOut,
    Silence,
    caller_scenario,
    phone_scenario,
    register_scenario,
)

__all__ = [
    "BUSY",
    "DECLINE",
    "Answer",
    "Behaviour",
    "Caller",
    "EndedBy",
    "Party",
    "Phone",
    "PhoneSaw",
    "Redirect",
    "Refuse",
    "RingOut",
    "Silence",
    "SipError",
]

REGISTER_SECONDS = 5.0
LEAVE_SECONDS = 1.0


class Phone(Party):
    """A party that is called. With a `secret` it registers first; a carrier has none.

    ``async with Phone("201", "127.0.0.101", server="127.0.0.1", secret="…") as phone: …``
    """

    def __init__(
        self,
        name: str,
        address: str,
        server: str,
        directory: Path | None = None,
        *,
        secret: str | None = None,
        behaviour: Behaviour | None = None,
        port: int = 5060,
    ) -> None:
        super().__init__(name, address, server, directory, port=port)
        self.secret = secret
        self.behaviour: Behaviour = behaviour or Answer()

    async def __aenter__(self) -> Self:
        try:
            await self.register()
            await self.listen()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()
        # The server may be gone already; then there is nothing to take away.
        with contextlib.suppress(SipError):
            await self.register(0, seconds=LEAVE_SECONDS)
        await self.stop()

    async def register(self, expires: int = 7200, *, seconds: float = REGISTER_SECONDS) -> None:
        """Registers this address (0 takes it away). Raises SipError when refused or not heard."""
        if self.secret is None:
            return
        scenario = register_scenario(self.name, self.server, self.secret, expires)
        process = await self._start(scenario, f"{self.server}:5060", "-m", "1")
        try:
            async with asyncio.timeout(seconds):
                code: int | str = await process.wait()
        except TimeoutError:
            code = f"none in {seconds:.0f} s"
            await self.stop()
        if code != 0:
            answers = [m.start_line for m in self.messages if not m.sent][-2:]
            raise SipError(f"{self.name} at {self.server}: register ended {code}: {answers}")

    async def listen(self) -> None:
        """Answers calls as `behaviour` says; returns once the socket is open."""
        contact = f"sip:{self.name}@{self.address}:{self.port}"
        process = await self._start(
            phone_scenario(self.name, contact, self.behaviour, self._tone())
        )
        async with asyncio.timeout(REGISTER_SECONDS):
            while not is_held(self.address, self.port):
                if process.returncode is not None:
                    raise SipError(f"{self.name}: sipp ended at once, exit {process.returncode}")
                await asyncio.sleep(POLL_SECONDS)

    async def behave(self, behaviour: Behaviour) -> None:
        """Another habit from now on: the process is exchanged, the registration stays."""
        await self.stop()
        self.behaviour = behaviour
        await self.listen()

    async def answer(self) -> None:
        """Stops ringing now and gives the final answer of its behaviour."""
        self._order("ANSWER", None)


class Caller(Party):
    """A party that places one call: `name` dials `to`.

    With a `secret` it is a phone and answers the server's challenge; a carrier has none. `user`,
    `domain` and `display` make the From header, sent as they are (surrogates stand for raw bytes);
    `headers` are added to the INVITE. It cancels after `patience` seconds without an answer, and
    hangs up after `talk` seconds or waits for the BYE.

    ``async with Caller("trunk", "127.0.0.21", server="127.0.0.1", to="0015550100") as caller: …``
    """

    def __init__(
        self,
        name: str,
        address: str,
        server: str,
        directory: Path | None = None,
        *,
        to: str,
        secret: str | None = None,
        user: str | None = None,
        domain: str | None = None,
        display: str | None = None,
        headers: tuple[str, ...] = (),
        patience: float = 30.0,
        talk: float | None = None,
    ) -> None:
        super().__init__(name, address, server, directory, port=free_port(address))
        who = name if user is None else user
        uri = f"{who}@{domain or server}" if who else domain or server
        source = f"<sip:{uri}>" if display is None else f'"{display}" <sip:{uri}>'
        self.invitation = Invitation(to, source, headers)
        self.secret = secret
        self.patience = patience
        self.talk = talk
        self._patience: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.dial()
        return self

    async def dial(self) -> None:
        """Places the call; returns as soon as the process runs."""
        scenario = caller_scenario(
            self.name, self.server, self.secret, self.invitation, self.talk, self._tone()
        )
        options = (f"{self.server}:5060", "-m", "1", "-aa", *self.invitation.options)
        await self._start(scenario, *options)
        self._patience = asyncio.create_task(self._lose_patience())

    async def give_up(self) -> None:
        """Cancels a call that is not answered yet.

        What SIPp sent is read from its log: whom it calls may ring before the log says so.
        """
        self._order("GIVEUP", await self.until(lambda _: True))

    async def stop(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._patience
        await super().stop()

    async def _lose_patience(self) -> None:
        # SIPp starts its time limit anew with each provisional answer: this one counts in all.
        call = await self.until(lambda _: True, seconds=LIFE_SECONDS)
        await asyncio.sleep(max(0.0, call.invited_at + self.patience - time.time()))
        call = self.calls[-1]
        if call.answered_at is None and call.ended_at is None:
            await self.give_up()
