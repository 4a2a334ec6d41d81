"""For a program that is told of events: is it callctl that tells, and of what?"""

import time
from collections.abc import Mapping

import msgspec

from callctl.core.signature import TOLERANCE_SECONDS, verify
from callctl.features.events.model import EventView


class WebhookError(ValueError):
    """The request was not signed with the secret, is too old, or holds no event."""


def read_webhook(
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: float | None = None,
    tolerance: int = TOLERANCE_SECONDS,
) -> tuple[str, EventView]:
    """(delivery id, event) of a request. Of two with the same delivery id one is a repetition.

    `body` must be the bytes as they arrived. Raises WebhookError.
    """
    names = {name.lower(): value for name, value in headers.items()}
    timestamp = names.get("callctl-timestamp", "")
    signatures = names.get("callctl-signature", "")
    moment = time.time() if now is None else now
    if not verify(secret, timestamp, signatures, body, moment, tolerance):
        raise WebhookError("not signed with this secret, or too old")
    try:
        event = msgspec.json.decode(body, type=EventView)
    except msgspec.MsgspecError as error:
        raise WebhookError(f"holds no event: {error}") from None
    return names.get("callctl-delivery", ""), event
