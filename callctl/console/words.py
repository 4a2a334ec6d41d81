"""How the console says things to people."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from callctl.core.money.currencies import format_amount
from callctl.features.calls.hints import HintRule, IconName, find_hint
from callctl.features.calls.model import CallSummary


@dataclass(frozen=True, slots=True)
class Badge:
    """A word with a mark and a look, so that colour alone tells nothing (R001-06)."""

    text: str
    mark: str
    look: str


DISPOSITIONS = {
    "ANSWERED": Badge("Answered", "✓", "good"),
    "CANCELLED": Badge("Caller hung up", "↩", "warn"),
    "NO_ANSWER": Badge("No answer", "○", "warn"),
    "BUSY": Badge("Busy", "◐", "warn"),
    "REJECTED": Badge("Refused", "⊘", "bad"),
    "FAILED": Badge("Failed", "✕", "bad"),
    "UNKNOWN": Badge("Unknown", "?", "dim"),
}

MISSED = "Missed"
WITHHELD = "withheld/unknown"
TOO_LONG = Badge("Too long", "✓", "warn")

ICONS: dict[IconName, str] = {
    "alert": "!",
    "tick": "✓",
    "cross": "✕",
    "question": "?",
    "return": "↩",
    "circle": "○",
    "half": "◐",
    "barred": "⊘",
    "incoming": "↘",
    "outgoing": "↗",
    "internal": "↔",
    "star": "★",
    "flag": "⚑",
    "phone": "☎",
    "clock": "◷",
}
"""The pictures of display hints, as signs that every font has."""

FEATURES = {
    "echo": "Echo test",
    "check": "System check",
    "pickup": "Pickup",
}
"""What a feature code was for: nobody was called, so that no other outcome says it well."""

DIRECTIONS = {
    "inbound": Badge("Incoming", "↘", "in"),
    "outbound": Badge("Outgoing", "↗", "out"),
    "internal": Badge("Internal", "↔", "dim"),
}

RESULTS = {
    "ANSWER": Badge("answered", "✓", "good"),
    "NOANSWER": Badge("did not answer", "○", "warn"),
    "BUSY": Badge("was busy", "◐", "warn"),
    "REJECTED": Badge("declined", "⊘", "warn"),
    "UNAVAILABLE": Badge("could not be reached", "✕", "bad"),
    "CANCEL": Badge("was ringing when the caller hung up", "↩", "warn"),
    "ANSWERED_ELSEWHERE": Badge("stopped: another one answered", "→", "dim"),
    "PICKUP": Badge("was picked up by another phone", "→", "dim"),
    "FORWARD": Badge("forwarded the call", "⇢", "dim"),
}

COMPLETENESS = {
    "repaired": "This record was put together again after some of its events came late or damaged.",
    "truncated": "The end of this call is missing: Asterisk stopped, or the call was still going "
    "on when its events ended.",
}


def badge(table: dict[str, Badge], key: str) -> Badge:
    """A word that is not in the table (of a newer version) shows as it is."""
    return table.get(key) or Badge(key, "·", "dim")


def outcome(disposition: str, route: str | None) -> Badge:
    """How a call ended; a feature code that reached nobody says what it was for."""
    kind, _, feature = (route or "").partition(":")
    if kind == "feature" and disposition != "ANSWERED":
        return Badge(FEATURES.get(feature, feature), "★", "dim")
    return badge(DISPOSITIONS, disposition)


def outcome_badges(call: CallSummary, hint: HintRule) -> list[Badge]:
    """How a call ended, in the look that the account has chosen for it."""
    ended = outcome(call.disposition, call.route)
    if ended is not DISPOSITIONS.get(call.disposition):
        return [ended]
    mark, look = ICONS.get(hint.icon, "·"), f"tone {hint.colour}"
    # What is not known is not called missed (R001-05).
    if call.missed and call.disposition != "UNKNOWN":
        return [Badge(MISSED, mark, look), ended]
    return [Badge(ended.text, mark, look)]


def share(part: float) -> str:
    """0.123 as ``12 %``."""
    return f"{part * 100:.0f} %"


def duration(seconds: float) -> str:
    """``0:07``, ``12:34``, ``1:02:03``."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def money(amount: int, currency: str | None) -> str:
    """``12.50 EUR``."""
    return f"{format_amount(amount, currency)} {currency}" if currency else str(amount)


def party(number: str | None) -> str:
    """Whom a call was from or for; of a withheld number nothing else is known (R001-11)."""
    return WITHHELD if number is None else number


class LocalTime:
    """Instants in an account's zone. An unknown zone is shown as UTC, and says so."""

    def __init__(self, zone: str) -> None:
        try:
            self.zone = ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            self.zone = ZoneInfo("UTC")

    @property
    def name(self) -> str:
        return self.zone.key

    def day(self, instant: datetime) -> str:
        return instant.astimezone(self.zone).strftime("%Y-%m-%d")

    def clock(self, instant: datetime) -> str:
        return instant.astimezone(self.zone).strftime("%H:%M:%S")

    def weekday(self, instant: datetime) -> str:
        return instant.astimezone(self.zone).strftime("%A, %Y-%m-%d")


@dataclass(frozen=True, slots=True)
class Day:
    """Calls of one day that stand together in a list, each with how it looks."""

    name: str
    calls: list[tuple[CallSummary, HintRule]]


def by_day(calls: Iterable[CallSummary], times: LocalTime, rules: list[HintRule]) -> list[Day]:
    """A page of the list under the headings of its days (R001-07), in the page's order."""
    days = groupby(calls, key=lambda call: times.weekday(call.started_at))
    return [Day(day, [(call, find_hint(call, rules)) for call in of_day]) for day, of_day in days]
