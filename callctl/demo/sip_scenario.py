"""SIPp scenarios for one party, put together from the files in ``scenarios/``.

A file holds ``{{placeholders}}`` for values and for other files; the conversation (``talk.xml``)
is the same for whoever called.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SCENARIOS = Path(__file__).with_name("scenarios")
LIFE_SECONDS = 120
"""No party lives longer than this, whatever it waits for."""

PHRASES = {
    302: "Moved Temporarily",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    480: "Temporarily Unavailable",
    486: "Busy Here",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    503: "Service Unavailable",
    600: "Busy Everywhere",
    603: "Decline",
}

FAILURE_CODES = (*range(300, 306), *range(400, 424), *range(480, 495), *range(500, 506), 513, 580)
FAILURE_CODES += (600, 603, 604, 606)
"""What SIPp must be told, one by one, to take for the end of a call: RFC 3261, 21."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Rings `after` seconds, answers, talks; hangs up after `talk` seconds or waits for the BYE."""

    after: float = 0.2
    talk: float | None = None
    rings: bool = True


@dataclass(frozen=True, slots=True)
class RingOut:
    """Rings until the other side gives up."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Gives `code` after `after` seconds, of ringing when `rings`."""

    code: int
    after: float = 0.0
    rings: bool = False


@dataclass(frozen=True, slots=True)
class Redirect:
    """Answers 302 with `contact` (a SIP URI)."""

    contact: str


@dataclass(frozen=True, slots=True)
class Silence:
    """Reachable, but never says a word to an INVITE."""


Behaviour = Answer | RingOut | Refuse | Redirect | Silence

BUSY = Refuse(486)
DECLINE = Refuse(603, after=0.2, rings=True)


def render_scenario(name: str, values: Mapping[str, str]) -> str:
    """The scenario file `name` with its placeholders filled from `values`.

    A placeholder alone on its line whose value is empty takes the line away, since an empty line
    would end a SIP message's headers. Raises KeyError for a placeholder without a value.
    """

    def fill_line(line: re.Match[str]) -> str:
        value = values[line[2]]
        indent = "" if value.startswith(" ") else line[1]
        return f"{indent}{value}\n" if value else ""

    text = (SCENARIOS / f"{name}.xml").read_text(encoding="utf-8")
    text = re.sub(r"^([ \t]*)\{\{(\w+)\}\}\n", fill_line, text, flags=re.MULTILINE)
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], text)


def register_scenario(user: str, server: str, secret: str, expires: int) -> str:
    """One registration for `expires` seconds; 0 takes it away."""
    values = {"user": user, "server": server, "secret": secret, "expires": str(expires)}
    return render_scenario("register", values)


def phone_scenario(user: str, contact: str, behaviour: Behaviour, tone: Path) -> str:
    """What a called party does, call after call."""
    ring, rings, status = float(LIFE_SECONDS), True, 480
    local = "[$dialled];tag=[pid]p[call_number]"
    values = {"user": user, "contact": contact, "tone": str(tone), "local": local}
    match behaviour:
        case Silence():
            return render_scenario("silent", {"ring_ms": _ms(ring)})
        case Answer(after, talk, rings):
            ring = after
            values |= {"sdp": _sdp("sendrecv"), "talk": _talk(user, local, talk)}
            final = _part("answer", values)
        case _:
            match behaviour:
                case Refuse(status, ring, rings):
                    pass
                case Redirect(place):
                    ring, rings, status = 0.0, False, 302
                    values["contact"] = place
            values["status"] = f"{status} {PHRASES.get(status, 'Refused')}"
            final = _part("refuse", values)
    values |= {"ringing": _part("ringing", values) if rings else "", "final": final}
    return render_scenario("phone", dict(values, ring_ms=_ms(ring)))


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a caller's INVITE says, as it goes out (surrogates stand for raw bytes).

    `source` and `headers` are handed to SIPp apart from the scenario: it takes no file above
    64 kB, and would read keywords of its own into a name with brackets.
    """

    to: str
    source: str
    headers: tuple[str, ...]

    @property
    def options(self) -> tuple[str, ...]:
        """What `sipp` needs on its command line for the scenario's ``[source]``, ``[headers]``."""
        return ("-key", "source", self.source, "-key", "headers", "\r\n".join(self.headers))


def caller_scenario(
    name: str, server: str, secret: str | None, invite: Invitation, talk: float | None, tone: Path
) -> str:
    """What a calling party does, once; ``GIVEUP`` makes it cancel."""
    local = "[source];tag=[pid]c[call_number]"
    values = {
        "user": name,
        "server": server,
        "to": invite.to,
        "local": local,
        "tone": str(tone),
        "sdp": _sdp("sendrecv"),
        "headers": "[headers]" if invite.headers else "",
        "authorization": "",
    }
    login = f"[authentication username={name} password={secret}]"
    failures = (_part("failure", {"code": str(code)}) for code in FAILURE_CODES)
    parts = {
        "invite": _part("invite", values),
        "invite_with_login": _part("invite", dict(values, authorization=login)),
        "ack": _part("ack", values),
        "outcome": _part("outcome", dict(values, failures="\n".join(failures))),
        "talk": _talk(name, local, talk),
    }
    return render_scenario("caller", values | parts)


def _talk(user: str, local: str, seconds: float | None) -> str:
    limit = LIFE_SECONDS if seconds is None else seconds
    values = {"user": user, "local": local, "talk_ms": _ms(limit), "sdp": _sdp("sendrecv")}
    values["hold"] = _part("reinvite", dict(values, sdp=_sdp("sendonly", 2)))
    values["resume"] = _part("reinvite", dict(values, sdp=_sdp("sendrecv", 3)))
    return _part("talk", values)


def _sdp(direction: str, version: int = 1) -> str:
    return _part("sdp", {"direction": direction, "version": str(version)})


def _part(name: str, values: Mapping[str, str]) -> str:
    return render_scenario(name, values).rstrip("\n")


def _ms(seconds: float) -> str:
    # SIPp takes 0 for "no limit".
    return str(max(1, round(seconds * 1000)))
