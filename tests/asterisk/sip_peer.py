"""One end of a SIP conversation, message by message, over UDP, TCP or TLS.

For what SIPp has no scenario for: phones on streams, lamps, a carrier that is registered with.
"""

import asyncio
import re
import ssl
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType

from tests.asterisk.raw_sip import authorization

_serial = count(1)
_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Message:
    """A SIP message as it came: its first line, its headers, its body, and from where."""

    text: str
    source: tuple[str, int]

    @property
    def first_line(self) -> str:
        return self.text.partition("\r\n")[0]

    @property
    def method(self) -> str:
        """Empty in an answer."""
        return "" if self.code else self.first_line.partition(" ")[0]

    @property
    def code(self) -> int:
        """0 in a request."""
        return int(self.first_line[8:11]) if self.first_line.startswith("SIP/2.0 ") else 0

    @property
    def body(self) -> str:
        return self.text.partition("\r\n\r\n")[2]

    def header(self, name: str) -> str:
        """The first header of that name; empty without one."""
        found = re.search(rf"(?mi)^{re.escape(name)}: *([^\r\n]*)", self.text)
        return found[1] if found else ""


@dataclass(slots=True)
class SipPeer:
    """Talks to `server`:`port` from `address`. Use as an async context manager."""

    address: str
    server: str
    transport: str = "udp"
    port: int = 5060
    local_port: int = 0
    _inbox: "asyncio.Queue[Message]" = field(default_factory=asyncio.Queue)
    _datagrams: asyncio.DatagramTransport | None = None
    _writer: asyncio.StreamWriter | None = None
    _reading: "asyncio.Task[None] | None" = None

    async def __aenter__(self) -> "SipPeer":
        if self.transport == "udp":
            await self._open_datagrams()
        else:
            await self._open_stream()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._datagrams is not None:
            self._datagrams.close()
        if self._reading is not None:
            self._reading.cancel()
        if self._writer is not None:
            self._writer.close()

    def send(self, *lines: str, body: str = "", to: tuple[str, int] | None = None) -> None:
        """Sends a message of these lines; its length is added."""
        text = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])
        if self._writer is not None:
            self._writer.write(text.encode())
        elif self._datagrams is not None:
            self._datagrams.sendto(text.encode(), to or (self.server, self.port))

    def answer(
        self, request: Message, code: int, reason: str, *headers: str, body: str = ""
    ) -> None:
        """Answers a request, to where it came from."""
        kept = re.findall(r"(?mi)^((?:Via|From|Call-ID|CSeq): [^\r\n]*)", request.text)
        to = request.header("To")
        if "tag=" not in to:
            to += ";tag=peer"
        first = f"SIP/2.0 {code} {reason}"
        self.send(first, *kept, f"To: {to}", *headers, body=body, to=request.source)

    async def receive(self, method: str = "", *, code: int = 0) -> Message:
        """The next request of that method, or the next final answer (`code` 0: any).

        What else arrives meanwhile is answered with 200, if it is a request, and left.
        """
        async with asyncio.timeout(_SECONDS):
            while True:
                message = await self._inbox.get()
                if method and message.method == method:
                    return message
                if not method and message.code >= 200 and code in (0, message.code):
                    return message
                if message.method and message.method != "ACK":
                    self.answer(message, 200, "OK")

    async def ask(
        self, method: str, uri: str, user: str, secret: str, *headers: str, body: str = ""
    ) -> Message:
        """One request as `user`, who logs in when asked to; its final answer."""
        serial = next(_serial)
        proof: list[str] = []
        for cseq in (1, 2):
            self.send(
                f"{method} {uri} SIP/2.0",
                f"Via: SIP/2.0/{self.transport.upper()} {self.address}:{self._port()}"
                f";rport;branch=z9hG4bKpeer{serial}x{cseq}",
                f"From: <sip:{user}@{self.server}>;tag=peer{serial}",
                f"To: <{uri if method != 'REGISTER' else f'sip:{user}@{self.server}'}>",
                f"Call-ID: peer-{serial}@{self.address}",
                f"CSeq: {cseq} {method}",
                f"Contact: <sip:{user}@{self.address}:{self._port()};transport={self.transport}>",
                "Max-Forwards: 20",
                *headers,
                *proof,
                body=body,
            )
            final = await self.receive()
            if method == "INVITE":
                self._acknowledge(final, uri, cseq)
            if final.code != 401 or proof:
                return final
            proof = [authorization(final.text, method, uri, user, secret)]
        raise AssertionError("unreachable")

    def _acknowledge(self, final: Message, uri: str, cseq: int) -> None:
        kept = re.findall(r"(?mi)^((?:Via|From|To|Call-ID): [^\r\n]*)", final.text)
        self.send(f"ACK {uri} SIP/2.0", *kept, f"CSeq: {cseq} ACK", "Max-Forwards: 20")

    def _port(self) -> int:
        holder = self._writer or self._datagrams
        assert holder is not None
        port: int = holder.get_extra_info("sockname")[1]
        return port

    async def _open_datagrams(self) -> None:
        inbox = self._inbox

        class Receiver(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
                if data.strip():
                    inbox.put_nowait(Message(data.decode(errors="replace"), addr))

        loop = asyncio.get_running_loop()
        self._datagrams, _ = await loop.create_datagram_endpoint(
            Receiver, local_addr=(self.address, self.local_port)
        )

    async def _open_stream(self) -> None:
        context = None
        if self.transport == "tls":
            # The certificate is made by this very Asterisk's first start.
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        reader, self._writer = await asyncio.open_connection(
            self.server, self.port, ssl=context, local_addr=(self.address, 0)
        )
        self._reading = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                return
            head = head.lstrip(b"\r\n")
            if not head:
                continue
            length = re.search(rb"(?mi)^Content-Length: *(\d+)", head)
            body = await reader.readexactly(int(length[1])) if length else b""
            text = (head + body).decode(errors="replace")
            self._inbox.put_nowait(Message(text, (self.server, self.port)))
