"""What a SIP party saw, read from the messages that SIPp itself logged.

Nothing is guessed from what a party was told to do: a `PhoneSaw` holds only what crossed the wire.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

_HEAD = re.compile(
    rb"-{20,} (\d{4}-\d\d-\d\d)[ \t](\d\d:\d\d:\d\d\.\d{6})\n"
    rb"\w+ message (sent|received) [\[(](\d+)[\])]? bytes\)?\s?:?\n\n"
)
_NUMBER = re.compile(r"sips?:([^@;>]*)@|tel:([^;>]*)")
_NAME = re.compile(r'\s*"((?:[^"\\]|\\.)*)"\s*<|\s*([^<"]*?)\s*<')
_CHALLENGES = {401, 407}


class EndedBy(StrEnum):
    """Who ended a dialog, as seen from the party."""

    SELF = "self"
    FAR = "far"


@dataclass(frozen=True, slots=True)
class SipMessage:
    """One message on the wire; `at` is seconds since the epoch with microseconds."""

    at: float
    sent: bool
    start_line: str
    headers: tuple[tuple[str, str], ...]
    text: bytes

    @property
    def method(self) -> str:
        """The request's method, empty in a response."""
        return "" if self.start_line.startswith("SIP/2.0 ") else self.start_line.split(" ")[0]

    @property
    def code(self) -> int:
        """The response's status code, 0 in a request."""
        return 0 if self.method else int(self.start_line.split(" ")[1])

    def header(self, name: str) -> str:
        """The first header of that name, empty if there is none."""
        wanted = name.lower()
        return next((v for n, v in self.headers if n.lower() == wanted), "")

    @property
    def transaction(self) -> str:
        """The method of the transaction this message belongs to."""
        return self.header("CSeq").split(" ")[-1]


@dataclass(frozen=True, slots=True)
class PhoneSaw:
    """One call as a party's wire showed it. Times are epoch seconds, None for what never came.

    `final_code` is the last answer to the INVITE that opened the call: 200, a refusal, 487 after a
    CANCEL; None when nobody said anything final. `confirmed_at` is the ACK of an answer, `ended_at`
    the BYE, the CANCEL or the refusal.
    """

    party: str
    call_id: str
    placed: bool
    dialled: str
    from_number: str
    from_name: str
    asserted: str | None
    invited_at: float
    rang_at: float | None = None
    answered_at: float | None = None
    confirmed_at: float | None = None
    ended_at: float | None = None
    ended_by: EndedBy | None = None
    final_code: int | None = None
    reason: str | None = None
    transfer_codes: tuple[int, ...] = ()

    @property
    def talk_seconds(self) -> float | None:
        """From the answer to the end; None if it was not answered or has not ended."""
        if self.answered_at is None or self.ended_at is None:
            return None
        return self.ended_at - self.answered_at


def parse_messages(log: bytes) -> list[SipMessage]:
    """The whole messages of a SIPp message log; one that is still being written is left out."""
    messages: list[SipMessage] = []
    at = 0
    while (head := _HEAD.search(log, at)) is not None:
        at = head.end() + int(head[4])
        if at > len(log):
            break
        stamp = f"{head[1].decode()}T{head[2].decode()}"
        when = datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp()
        messages.append(_parse_message(when, head[3] == b"sent", log[head.end() : at]))
    return messages


def _parse_message(at: float, sent: bool, text: bytes) -> SipMessage:
    lines = text.split(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape").split("\r\n")
    pairs = (line.partition(":") for line in lines[1:] if ":" in line)
    headers = tuple((name.strip(), value.strip()) for name, _, value in pairs)
    return SipMessage(at, sent, lines[0], headers, text)


CLOCK_SLACK_SECONDS = 0.1
"""SIPp reads the clock once a turn: the same moment may stand earlier in the callee's log than in
the caller's."""


def placed_since(calls: Iterable[PhoneSaw], caller: PhoneSaw) -> list[PhoneSaw]:
    """Those of `calls` that came in after `caller` placed its call."""
    since = caller.invited_at - CLOCK_SLACK_SECONDS
    return [c for c in calls if c.invited_at >= since and not c.placed]


def build_calls(party: str, messages: Iterable[SipMessage]) -> list[PhoneSaw]:
    """One `PhoneSaw` per dialog that an INVITE opened, in order of those INVITEs."""
    dialogs: dict[str, list[SipMessage]] = {}
    for message in messages:
        dialogs.setdefault(message.header("Call-ID"), []).append(message)
    calls = [_build_call(party, call_id, dialog) for call_id, dialog in dialogs.items()]
    return sorted((c for c in calls if c is not None), key=lambda c: c.invited_at)


def _build_call(party: str, call_id: str, dialog: Sequence[SipMessage]) -> PhoneSaw | None:
    invite = next((m for m in dialog if m.method == "INVITE"), None)
    if invite is None:
        return None
    source = invite.header("From")
    saw = PhoneSaw(
        party=party,
        call_id=call_id,
        placed=invite.sent,
        dialled=_number(invite.start_line),
        from_number=_number(source),
        from_name=_name(source),
        asserted=invite.header("P-Asserted-Identity") or None,
        invited_at=invite.at,
    )
    challenged = False
    for message in dialog:
        if saw.placed and not challenged and message.code in _CHALLENGES:
            # The first one is a question, not an end; a second one means a wrong answer.
            challenged = True
            continue
        saw = _next(saw, message)
    return saw


def _next(saw: PhoneSaw, message: SipMessage) -> PhoneSaw:
    """The call after one more message."""
    method, code = message.method, message.code
    by = EndedBy.SELF if message.sent else EndedBy.FAR
    if method in {"BYE", "CANCEL"} and saw.ended_at is None:
        reason = message.header("Reason") or None
        return replace(saw, ended_at=message.at, ended_by=by, reason=reason)
    if method == "ACK" and saw.answered_at is not None and saw.confirmed_at is None:
        return replace(saw, confirmed_at=message.at)
    if message.transaction == "REFER" and code >= 200:
        return replace(saw, transfer_codes=(*saw.transfer_codes, code))
    if message.transaction != "INVITE" or saw.answered_at is not None:
        return saw
    if code in {180, 183} and saw.rang_at is None:
        return replace(saw, rang_at=message.at)
    if 200 <= code < 300:
        return replace(saw, answered_at=message.at, final_code=code, ended_at=None, ended_by=None)
    if code >= 300:
        ended = saw.ended_at is not None
        return replace(
            saw,
            final_code=code,
            ended_at=saw.ended_at if ended else message.at,
            ended_by=saw.ended_by if ended else by,
        )
    return saw


def _number(text: str) -> str:
    found = _NUMBER.search(text)
    return (found[1] or found[2] or "") if found else ""


def _name(text: str) -> str:
    found = _NAME.match(text)
    return (found[1] if found[1] is not None else found[2]) if found else ""
