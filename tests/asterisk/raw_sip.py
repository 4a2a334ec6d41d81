"""SIP requests as no phone would send them: whole text by hand, over UDP."""

import asyncio
import hashlib
import re
import socket
from dataclasses import dataclass, field
from itertools import count

_serial = count(1)


@dataclass(slots=True)
class RawSip:
    """A socket at `address` that talks to `server`:5060."""

    address: str
    server: str
    _socket: socket.socket = field(init=False)

    def __enter__(self) -> "RawSip":
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self.address, 0))
        self._socket.setblocking(False)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    async def ask(
        self,
        method: str,
        uri: str,
        user: str,
        *headers: str,
        secret: str | None = None,
        sender: str | None = None,
        body: str = "",
        call_id: str | None = None,
    ) -> tuple[int, str]:
        """One request, answered finally: (code, whole answer). Logs in with `secret` if asked."""
        serial = next(_serial)
        tag, call_id = f"raw{serial}", call_id or f"raw-{serial}@{self.address}"
        proof: list[str] = []
        for cseq in (1, 2):
            code, answer = await self._exchange(
                f"{method} {uri} SIP/2.0",
                f"Via: SIP/2.0/UDP {self.address}:{self._socket.getsockname()[1]}"
                f";rport;branch=z9hG4bK{serial}x{cseq}",
                f"From: {sender or f'<sip:{user}@{self.server}>'};tag={tag}",
                f"To: <{uri if method != 'REGISTER' else f'sip:{user}@{self.server}'}>",
                f"Call-ID: {call_id}",
                f"CSeq: {cseq} {method}",
                "Max-Forwards: 20",
                *headers,
                *proof,
                f"Content-Length: {len(body)}",
                "",
                body,
            )
            if code != 401 or secret is None or proof:
                return code, answer
            proof = [authorization(answer, method, uri, user, secret)]
            if method == "INVITE":
                await self._send(_ack(answer, uri, call_id, cseq))
        raise AssertionError("unreachable")

    async def _exchange(self, *lines: str) -> tuple[int, str]:
        loop = asyncio.get_running_loop()
        await self._send("\r\n".join(lines))
        method = lines[0].split(" ")[0]
        async with asyncio.timeout(8):
            while True:
                text = (await loop.sock_recv(self._socket, 65535)).decode(errors="replace")
                if text.startswith("SIP/2.0 ") and re.search(rf"CSeq: \d+ {method}\r", text):
                    code = int(text[8:11])
                    if code >= 200:
                        return code, text

    async def _send(self, text: str) -> None:
        loop = asyncio.get_running_loop()
        data = text.encode("utf-8", "surrogateescape")
        await loop.sock_sendto(self._socket, data, (self.server, 5060))


def _ack(answer: str, uri: str, call_id: str, cseq: int) -> str:
    kept = [line for line in answer.split("\r\n") if re.match("(Via|From|To): ", line)]
    lines = [f"ACK {uri} SIP/2.0", *kept, f"Call-ID: {call_id}", f"CSeq: {cseq} ACK"]
    return "\r\n".join([*lines, "Content-Length: 0", "", ""])


def authorization(answer: str, method: str, uri: str, user: str, secret: str) -> str:
    """RFC 2617 digest, qop=auth."""
    challenge = dict(re.findall(r'(\w+)="?([^",\r]+)"?', answer.split("WWW-Authenticate: ")[1]))
    realm, nonce = challenge["realm"], challenge["nonce"]

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    proof = md5(
        f"{md5(f'{user}:{realm}:{secret}')}:{nonce}:00000001:raw:auth:{md5(f'{method}:{uri}')}"
    )
    opaque = f', opaque="{challenge["opaque"]}"' if "opaque" in challenge else ""
    return (
        f'Authorization: Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
        f'response="{proof}", algorithm=MD5, qop=auth, nc=00000001, cnonce="raw"{opaque}'
    )
