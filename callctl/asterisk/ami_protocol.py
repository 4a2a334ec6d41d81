"""AMI's wire: bytes to frozen values and back, with every limit in one place.

No socket and no clock here. A message is framed as bytes *before* it is decoded, so
that a character split over two reads survives, and it becomes an `AmiEvent` or an `AmiReply` whose
fields can be read but not guessed at: a misspelt one raises KeyError.

Asterisk writes caller numbers and extensions into its events unescaped (22, manager_channels.c),
so a caller can forge whole messages by CR LF in a SIP user part. What can be told apart is refused
here (a header given twice, a line that is none); what cannot is why events are only ever hints.
"""

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

END = b"\r\n\r\n"
BANNER = b"Asterisk Call Manager/"
MAX_ACTION_LINE = 1023
"""Asterisk reads an AMI line into 1024 bytes and cuts what is longer."""
MAX_ACTION_HEADERS = 127

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_REPEATABLE = ("variable", "output")

Value = str | int | bool
Field = Value | Sequence[Value]


class AmiError(Exception):
    """Anything that AMI can do to its user."""


class AmiInvalid(AmiError, ValueError):
    """An action that must not be written: control characters, too long, a bad name."""


class AmiNotConnected(AmiError):
    """There is no session now; nothing was sent."""


class AmiConnectionLost(AmiError):
    """The session ended before the response: whether Asterisk acted is unknown. Never resent."""


class AmiTimeout(AmiError):
    """No response in time: whether Asterisk acted is unknown. Never resent."""


class AmiProtocolError(AmiError):
    """The peer does not speak AMI as Asterisk does. `reason` is short and stable, for metrics."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class AmiLimits:
    """Bounds on what one connection may hold in memory (bytes, or counts)."""

    line: int = 64 * 1024
    message: int = 4 * 1024 * 1024
    pending_actions: int = 1000
    list_messages: int = 50_000


@dataclass(frozen=True, slots=True)
class AmiEvent:
    """One event. `fields` has lower-case names; values are text as Asterisk sent it: untrusted.

    Bytes that are no UTF-8 become U+FFFD, so that any value can be stored and shown.
    """

    name: str
    fields: Mapping[str, str]
    variables: Mapping[str, tuple[str, ...]]
    action_id: str | None = None

    def __getitem__(self, field: str) -> str:
        """The field's value. Raises KeyError: a misspelt name is a mistake, not an empty text."""
        return self.fields[field.lower()]

    def get(self, field: str, default: str = "") -> str:
        """The field's value, for those that Asterisk leaves out at times."""
        return self.fields.get(field.lower(), default)


@dataclass(frozen=True, slots=True)
class AmiReply:
    """The first message that answers an action; a list's events follow when `opens_list`."""

    success: bool
    message: str
    fields: Mapping[str, str]
    output: tuple[str, ...]
    action_id: str | None

    @property
    def opens_list(self) -> bool:
        return self.fields.get("eventlist", "").lower() == "start"


@dataclass(frozen=True, slots=True)
class AmiResponse:
    """What an action came to. `output`: a command's lines. `events`: a list's entries, and
    `listed` how many of them Asterisk says that it sent: more, where some were refused."""

    success: bool
    message: str
    fields: Mapping[str, str]
    output: tuple[str, ...] = ()
    events: tuple[AmiEvent, ...] = ()
    action_id: str = ""
    listed: int | None = None


class AmiRefused(AmiError):
    """Asterisk said no; nothing was done."""

    def __init__(self, action: str, response: AmiResponse) -> None:
        super().__init__(f"{action}: {response.message or 'refused'}")
        self.response = response


class Framer:
    """Cuts a byte stream into messages. Holds at most one message and one read."""

    def __init__(self, limits: AmiLimits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._searched = 0
        self.version: str | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield each complete message's bytes, without its end.

        Raises AmiProtocolError: ``not_ami``, ``line_too_long``, ``message_too_long``.
        """
        self._buffer += data
        if self.version is None and not self._take_banner():
            return
        while (end := self._buffer.find(END, self._searched)) >= 0:
            message = bytes(self._buffer[:end])
            del self._buffer[: end + len(END)]
            self._searched = 0
            self._check(message)
            if message := message.strip(b"\r\n"):
                yield message
        # The end may be split over two reads.
        self._searched = max(0, len(self._buffer) - len(END) + 1)
        self._check_unfinished()

    def _take_banner(self) -> bool:
        start = bytes(self._buffer[: len(BANNER)])
        if not BANNER.startswith(start):
            raise AmiProtocolError("not_ami")
        line, newline, _ = self._buffer.partition(b"\r\n")
        if not newline:
            if len(line) > 200:
                raise AmiProtocolError("not_ami")
            return False
        self.version = line[len(BANNER) :].decode("ascii", "replace").strip()
        del self._buffer[: len(line) + 2]
        return True

    def _check(self, message: bytes) -> None:
        if len(message) > self._limits.message:
            raise AmiProtocolError("message_too_long")
        if len(message) > self._limits.line and any(
            len(line) > self._limits.line for line in message.split(b"\r\n")
        ):
            raise AmiProtocolError("line_too_long")

    def _check_unfinished(self) -> None:
        size = len(self._buffer)
        if size > self._limits.message:
            raise AmiProtocolError("message_too_long")
        if size > self._limits.line and size - self._buffer.rfind(b"\r\n") > self._limits.line:
            raise AmiProtocolError("line_too_long")


def parse_message(raw: bytes) -> AmiEvent | AmiReply:
    """Read one framed message.

    Raises AmiProtocolError: ``bad_line`` (no ``Name: value``), ``repeated_header`` (a header twice
    that Asterisk gives once), ``neither`` (no event, no response). All three are what injected
    line ends leave behind; the message is dropped, the session goes on.
    """
    fields: dict[str, str] = {}
    repeated: dict[str, list[str]] = {}
    for line in raw.decode("utf-8", "replace").split("\r\n"):
        name, colon, value = line.partition(":")
        key = name.lower()
        if not colon or not name or " " in name:
            raise AmiProtocolError("bad_line")
        if value.startswith(" "):
            value = value[1:]
        if key.endswith(_REPEATABLE):
            repeated.setdefault(key, []).append(value)
        elif key in fields:
            raise AmiProtocolError("repeated_header")
        else:
            fields[key] = value
    action_id = fields.get("actionid")
    frozen = MappingProxyType(fields)
    # OriginateResponse is an event that has a "Response" too.
    if name := fields.get("event", ""):
        variables = MappingProxyType({key: tuple(values) for key, values in repeated.items()})
        return AmiEvent(name, frozen, variables, action_id)
    if response := fields.get("response"):
        return AmiReply(
            success=response.lower() in ("success", "follows", "goodbye"),
            message=fields.get("message", ""),
            fields=frozen,
            output=tuple(repeated.get("output", ())),
            action_id=action_id,
        )
    raise AmiProtocolError("neither")


def new_action_id() -> str:
    """128 random bits: a forged response would have to guess them."""
    return secrets.token_hex(16)


def check_header(name: str, value: Value) -> str:
    """The header's value as text. Raises AmiInvalid, naming the header but not the value."""
    if not _NAME.fullmatch(name):
        raise AmiInvalid(f"{name!r} is no AMI header's name")
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if _CONTROL.search(text):
        raise AmiInvalid(f"{name}: control characters would start another header or action")
    try:
        size = len(name) + 2 + len(text.encode())
    except UnicodeEncodeError:
        raise AmiInvalid(f"{name}: not valid Unicode") from None
    if size > MAX_ACTION_LINE:
        raise AmiInvalid(f"{name}: {size} bytes, Asterisk reads {MAX_ACTION_LINE}")
    return text


def check_action(name: str, fields: Mapping[str, Field]) -> list[tuple[str, str]]:
    """The action's headers in order, ``Action`` first. Raises AmiInvalid."""
    if not _NAME.fullmatch(name):
        raise AmiInvalid(f"{name!r} is no AMI action's name")
    headers = [("Action", name)]
    seen = {"action", "actionid"}
    for header, field in fields.items():
        if header.lower() in seen:
            raise AmiInvalid(f"{header}: given twice, or set by the client")
        seen.add(header.lower())
        values = [field] if isinstance(field, str | int) else field
        headers += [(header, check_header(header, value)) for value in values]
    if len(headers) >= MAX_ACTION_HEADERS:
        raise AmiInvalid(f"{len(headers)} headers, Asterisk reads {MAX_ACTION_HEADERS}")
    return headers
