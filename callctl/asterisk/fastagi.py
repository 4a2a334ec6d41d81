"""What Asterisk asks over FastAGI, and the one thing it is told: pure, bytes in and bytes out.

Asterisk sends its environment as lines ``agi_name: value`` up to an empty one, then waits (22,
res_agi.c). Caller texts stand in it unescaped, so a ``%0a`` in a SIP user part adds lines of the
caller's choice: a name given twice, a line that is none, or bytes after the empty line refuse the
session, and Asterisk takes its fallback.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MAX_ENVIRONMENT_BYTES = 16 * 1024
MAX_LINE_BYTES = 8191
MAX_LINES = 100
MAX_COMMAND_BYTES = 8191
"""Asterisk splits a longer command line into two commands."""

FAILURE = b"failure\n"
"""Tells Asterisk at once that there is no plan: AGISTATUS=FAILURE, the dialplan goes on."""

_LAST_FIXED = "agi_threadid"
_REQUIRED = (
    "agi_network_script",
    "agi_channel",
    "agi_uniqueid",
    "agi_callerid",
    "agi_calleridname",
    "agi_callingpres",
    "agi_extension",
    # An environment cut short by an injected empty line lacks it.
    _LAST_FIXED,
)
_WITHHELD_NAMES = frozenset({"anonymous", "restricted", "private", "withheld"})
_NO_NUMBER = frozenset({"", "unknown", "<unknown>", "unavailable"}) | _WITHHELD_NAMES
_PRESENTATION_MASK = 0x60
_PRESENTATION_RESTRICTED = 0x20
_UNIQUEID = re.compile(r"[\x21-\x7e]{1,149}")
_CHANNEL = re.compile(r"PJSIP/([\x21-\x7e]{1,100})-[0-9a-f]{8}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
_BAD_IN_VALUE = re.compile(r'[\x00-\x1f\x7f"\\]')
_OK = re.compile(rb"200 result=1(?: |$)")


FIRST_BYTES = 300
"""Every environment of Asterisk's is longer: the names of its 22 lines alone take 339 bytes.

More must not be waited for: Asterisk writes line by line with Nagle's algorithm on, and the kernel
acknowledges only the first sixteen segments at once when nobody reads; then each waits for 40 ms.
The first sixteen lines, each as short as it can be, are longer.
"""


class AgiRefused(Exception):
    """A session that gets no answer but `FAILURE`. `reason` is short and stable, for metrics."""

    def __init__(self, reason: str, uniqueid: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.uniqueid = uniqueid


@dataclass(frozen=True, slots=True)
class AgiCall:
    """A call that asks. `endpoint` comes from the channel's name, never from a caller's words.

    The script's arguments: `dialled` (else the extension that the dialplan is in), `linkedid`, and
    the channel on whose behalf the call is moved, which then gives the endpoint. The caller's
    number is None when there is none or when it is `withheld`. `caller_name` is data only; what
    is not UTF-8 in it reads as U+FFFD.
    """

    verb: str
    uniqueid: str
    channel: str
    endpoint: str
    dialled: str
    caller_number: str | None
    caller_name: str
    withheld: bool
    linkedid: str | None = None


@dataclass(frozen=True, slots=True)
class SetVariable:
    """The only answer that there is: a channel variable."""

    name: str
    value: str


Verb = Callable[[AgiCall], SetVariable]
"""Answers a call without waiting for anything: it runs in the event loop."""


def parse_environment(raw: bytes) -> dict[str, str]:
    """The environment's lines, without its end. Raises AgiRefused.

    Text is UTF-8 with U+FFFD for anything else: no value can fail later, when it is stored.
    """
    if len(raw) > MAX_ENVIRONMENT_BYTES:
        raise AgiRefused("too_large")
    if b"\0" in raw:
        raise AgiRefused("nul")
    text = raw.decode("utf-8", "replace")
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        raise AgiRefused("too_many_lines")
    if len(raw) > MAX_LINE_BYTES and any(len(line) > MAX_LINE_BYTES for line in lines):
        raise AgiRefused("line_too_long")
    try:
        environment: dict[str, str] = dict([line.split(": ", 1) for line in lines])
    except ValueError:
        raise AgiRefused("bad_line") from None
    if len(environment) != len(lines):
        raise AgiRefused("repeated_key")
    if any(not name.startswith("agi_") for name in environment):
        raise AgiRefused("bad_line")
    # Arguments are the dialplan's words and come last: an earlier one is a caller's line.
    if 0 <= text.find("\nagi_arg_") < text.find(f"\n{_LAST_FIXED}: "):
        raise AgiRefused("misplaced_argument")
    return environment


def parse_call(environment: Mapping[str, str]) -> AgiCall:
    """The call that an environment tells of. Raises AgiRefused."""
    uniqueid = environment.get("agi_uniqueid", "")
    for name in _REQUIRED:
        if name not in environment:
            raise AgiRefused("missing_key", uniqueid)
    channel = environment["agi_channel"]
    match = _CHANNEL.fullmatch(environment.get("agi_arg_3") or channel)
    if not _UNIQUEID.fullmatch(uniqueid) or match is None:
        raise AgiRefused("bad_channel", uniqueid)
    number, withheld = _caller(environment["agi_callerid"], environment["agi_callingpres"])
    name = environment["agi_calleridname"]
    return AgiCall(
        verb=environment["agi_network_script"].partition("?")[0],
        uniqueid=uniqueid,
        channel=channel,
        endpoint=match[1],
        dialled=environment.get("agi_arg_1") or environment["agi_extension"],
        caller_number=number,
        caller_name="" if withheld or name == "unknown" else name,
        withheld=withheld,
        linkedid=environment.get("agi_arg_2") or None,
    )


def _caller(number: str, presentation: str) -> tuple[str | None, bool]:
    """(number or None, withheld), by the number's text and Q.931's presentation indicator."""
    text = number.strip().lower()
    restricted = (
        presentation.isascii()
        and presentation.isdigit()
        and int(presentation) & _PRESENTATION_MASK == _PRESENTATION_RESTRICTED
    )
    withheld = restricted or text in _WITHHELD_NAMES
    return (None if withheld or text in _NO_NUMBER else number), withheld


def encode_set_variable(answer: SetVariable) -> bytes:
    """The one command line. Raises ValueError for a value that AGI would read differently."""
    if not _VARIABLE.fullmatch(answer.name):
        raise ValueError(f"{answer.name!r} is no channel variable's name")
    if _BAD_IN_VALUE.search(answer.value):
        raise ValueError(f"{answer.name}: a control character, quote or backslash in the value")
    line = f'SET VARIABLE {answer.name} "{answer.value}"\n'.encode()
    if len(line) > MAX_COMMAND_BYTES:
        raise ValueError(f"{answer.name}: {len(line)} bytes, AGI reads {MAX_COMMAND_BYTES}")
    return line


def is_done(line: bytes) -> bool:
    """Whether Asterisk's answer says that the variable is set."""
    return _OK.match(line) is not None
