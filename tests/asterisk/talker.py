"""A phone or a caller that talks and hears: a tone of its own goes out, and what comes in is kept.

SIPp only sends. Who hears whom is seen on the wire, where Asterisk sends it.
"""

import asyncio
import itertools
import math
import struct
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType

from callctl.demo.tone import RATE, encode_ulaw
from tests.asterisk.sip_peer import Message, SipPeer

FRAME = 160
FRAME_SECONDS = 0.02
WINDOW = 10
"""Frames, 0.2 s, by which tones 100 Hz apart are told from each other."""

HEARD = 200.0
"""A tone's share of a sample that is no noise: each is sent with 8000."""

HEARD_SECONDS = 10.0


@dataclass(slots=True)
class Talker:
    """At `address`, with a tone of `hz`; `port` 0 is any that is free, for whoever only calls.

    Use as an async context manager.
    """

    address: str
    server: str
    hz: int
    port: int = 5060
    sip: SipPeer = field(init=False)
    _media: asyncio.DatagramTransport | None = None
    _frames: "deque[bytes]" = field(default_factory=lambda: deque(maxlen=WINDOW))
    _arrived: int = 0
    _talking: "asyncio.Task[None] | None" = None

    def __post_init__(self) -> None:
        self.sip = SipPeer(self.address, self.server, local_port=self.port)

    async def __aenter__(self) -> "Talker":
        await self.sip.__aenter__()
        loop = asyncio.get_running_loop()
        self._media, _ = await loop.create_datagram_endpoint(
            lambda: _Ear(self), local_addr=(self.address, 0)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._fall_silent()
        if self._media is not None:
            self._media.close()
        await self.sip.__aexit__(kind, error, traceback)

    async def call(self, number: str, user: str) -> Message:
        """Call as a carrier does; returns once somebody has answered."""
        uri, sdp = f"sip:{number}@{self.server}", self._sdp()
        answer = await self.sip.ask(
            "INVITE", uri, user, "", "Content-Type: application/sdp", body=sdp
        )
        assert answer.code == 200, answer.first_line
        await self._talk(answer.body)
        return answer

    async def answer(self) -> Message:
        """Take the call that comes."""
        invite = await self.sip.receive("INVITE")
        headers = (f"Contact: <sip:{self.address}:5060>", "Content-Type: application/sdp")
        self.sip.answer(invite, 200, "OK", *headers, body=self._sdp())
        await self._talk(invite.body)
        return invite

    async def ended(self) -> None:
        """Until the other side hangs up."""
        bye = await self.sip.receive("BYE")
        self.sip.answer(bye, 200, "OK")

    async def hears(self, *others: "Talker") -> None:
        """Until it hears all of them at once."""
        async with asyncio.timeout(HEARD_SECONDS):
            while not all(self.loudness(other.hz) > HEARD for other in others):
                await self._more(1)

    async def does_not_hear(self, other: "Talker") -> bool:
        """Whether nothing of it comes in what is sent from now on."""
        await self._more(WINDOW)
        return self.loudness(other.hz) < HEARD / 4

    def loudness(self, hz: int) -> float:
        """How much of the last 0.2 s is a tone of `hz` (Goertzel, as an amplitude)."""
        samples = [_decode(b) for frame in self._frames for b in frame]
        if len(samples) < FRAME * WINDOW:
            return 0.0
        turn = 2 * math.pi * hz / RATE
        re = sum(s * math.cos(turn * n) for n, s in enumerate(samples))
        im = sum(s * math.sin(turn * n) for n, s in enumerate(samples))
        return 2 * math.hypot(re, im) / len(samples)

    async def _more(self, frames: int) -> None:
        wanted = self._arrived + frames
        async with asyncio.timeout(HEARD_SECONDS):
            while self._arrived < wanted:
                await asyncio.sleep(FRAME_SECONDS)

    def _heard(self, packet: bytes) -> None:
        if len(packet) == 12 + FRAME:
            self._frames.append(packet[12:])
            self._arrived += 1

    def _sdp(self) -> str:
        assert self._media is not None
        port = self._media.get_extra_info("sockname")[1]
        return "\r\n".join(
            (
                "v=0",
                f"o=- 1 1 IN IP4 {self.address}",
                "s=-",
                f"c=IN IP4 {self.address}",
                "t=0 0",
                f"m=audio {port} RTP/AVP 0",
                "a=rtpmap:0 PCMU/8000",
                "",
            )
        )

    async def _talk(self, sdp: str) -> None:
        await self._fall_silent()
        host = sdp.split("c=IN IP4 ")[1].split()[0]
        port = int(sdp.split("m=audio ")[1].split()[0])
        self._talking = asyncio.create_task(self._send_tone((host, port)))

    async def _fall_silent(self) -> None:
        if self._talking is not None:
            self._talking.cancel()
            await asyncio.gather(self._talking, return_exceptions=True)
            self._talking = None

    async def _send_tone(self, to: tuple[str, int]) -> None:
        turn = 2 * math.pi * self.hz / RATE
        wave = bytes(encode_ulaw(round(8000 * math.sin(turn * n))) for n in range(RATE))
        for n in itertools.count():
            at = n * FRAME % RATE
            header = struct.pack(">BBHII", 0x80, 0, n & 0xFFFF, n * FRAME & 0xFFFFFFFF, self.hz)
            assert self._media is not None
            self._media.sendto(header + wave[at : at + FRAME], to)
            await asyncio.sleep(FRAME_SECONDS)


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, talker: Talker) -> None:
        self._talker = talker

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._talker._heard(data)


def _decode(byte: int) -> int:
    """One µ-law byte as a linear sample (ITU-T G.711)."""
    byte = ~byte & 0xFF
    magnitude = (((byte & 0x0F) << 3) + 0x84 << (byte >> 4 & 7)) - 0x84
    return -magnitude if byte & 0x80 else magnitude
