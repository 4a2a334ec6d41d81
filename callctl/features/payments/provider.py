"""Payment providers: what is asked of one, and the sandbox, which speaks the protocol of
docs/payments.md over HTTP."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

import aiohttp
import msgspec
from msgspec import Meta, Struct

from callctl import __version__
from callctl.core.errors import CallctlError
from callctl.core.money.payments import PaymentState
from callctl.core.signature import sign, verify
from callctl.telemetry.log import get_logger

log = get_logger("callctl.payments")

TIMEOUT_SECONDS = 10.0
MOST_ANSWER_BYTES = 64 * 1024
TIME_HEADER, SIGNATURE_HEADER = "Callctl-Timestamp", "Callctl-Signature"


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """What is to be paid. `reference` is ours and the same for every try: asked for twice, the
    provider makes one payment of it."""

    reference: str
    amount: int
    currency: str
    callback_url: str | None


@dataclass(frozen=True, slots=True)
class TakenPayment:
    """What the provider calls it, and where the payer pays."""

    provider_ref: str
    pay_url: str


@dataclass(frozen=True, slots=True)
class PaymentNews:
    """A provider's message, proved to be its own: PAID or FAILED."""

    reference: str
    provider_ref: str
    state: PaymentState
    amount: int
    currency: str


class PaymentProvider(Protocol):
    """One way to pay. `name` is kept with its payments."""

    @property
    def name(self) -> str: ...

    async def start(self, order: PaymentOrder) -> TakenPayment:
        """Raises CallctlError: `payment_provider_unavailable` (it may, or may not, have taken it),
        `payment_refused`."""
        ...

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> PaymentNews:
        """Raises CallctlError: `bad_signature`, `malformed_request`, `invalid_field`."""
        ...


class NoProvider:
    """None is set."""

    name = "none"

    async def start(self, order: PaymentOrder) -> TakenPayment:
        raise CallctlError("payment_provider_unavailable", "no payment provider is set")

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> PaymentNews:
        raise CallctlError("bad_signature", "no payment provider is set")


class _Taken(Struct, frozen=True):
    id: Annotated[str, Meta(max_length=200, pattern=r"^[!-~]+$")]
    pay_url: Annotated[str, Meta(max_length=2000, pattern=r"^https?://[!-~]+$")]


class _News(Struct, frozen=True, forbid_unknown_fields=True):
    payment: Annotated[str, Meta(max_length=200, pattern=r"^[!-~]+$")]
    reference: Annotated[str, Meta(max_length=100)]
    state: Literal["paid", "failed"]
    amount: Annotated[int, Meta(ge=1)]
    currency: Annotated[str, Meta(max_length=4)]


class SandboxProvider:
    """`url` and `secret` are the settings; `clock` gives epoch seconds."""

    name = "sandbox"

    def __init__(self, url: str, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._url = url.rstrip("/")
        self._secret = secret
        self._clock = clock

    async def start(self, order: PaymentOrder) -> TakenPayment:
        body = msgspec.json.encode(order)
        timestamp = int(self._clock())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"callctl/{__version__}",
            TIME_HEADER: str(timestamp),
            SIGNATURE_HEADER: sign([self._secret], timestamp, body),
        }
        try:
            status, answer = await self._post(body, headers)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("payment_provider_away", error=f"{type(error).__name__}: {error}")
            raise CallctlError(
                "payment_provider_unavailable", "the payment provider does not answer"
            ) from None
        if status >= 500:
            raise CallctlError(
                "payment_provider_unavailable", f"the payment provider answered {status}"
            )
        if not 200 <= status < 300:
            raise CallctlError(
                "payment_refused",
                f"the payment provider answered {status}",
                None,
                {"status": status},
            )
        try:
            taken = msgspec.json.decode(answer, type=_Taken)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise CallctlError(
                "payment_provider_unavailable", "the payment provider's answer cannot be read"
            ) from None
        return TakenPayment(taken.id, taken.pay_url)

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(
                f"{self._url}/payments", data=body, headers=headers, allow_redirects=False
            ) as response,
        ):
            answer = bytearray()
            async for chunk in response.content.iter_any():
                answer += chunk
                if len(answer) > MOST_ANSWER_BYTES:
                    raise aiohttp.ClientPayloadError("the answer is too long")
            return response.status, bytes(answer)

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> PaymentNews:
        timestamp, signature = headers.get(TIME_HEADER, ""), headers.get(SIGNATURE_HEADER, "")
        if not verify(self._secret, timestamp, signature, body, self._clock()):
            raise CallctlError("bad_signature", "not signed with the secret, or too old")
        try:
            news = msgspec.json.decode(body, type=_News)
        except msgspec.ValidationError as error:
            raise CallctlError("invalid_field", str(error).replace("`", ""), "body") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CallctlError("malformed_request", f"the body is not JSON: {error}") from None
        return PaymentNews(
            news.reference, news.payment, PaymentState(news.state), news.amount, news.currency
        )
