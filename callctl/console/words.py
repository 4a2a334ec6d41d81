"""How the console says things to people."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from babel.numbers import format_decimal

from callctl.console.language import N_, Language, gettext, spoken
from callctl.core.calls.not_live import Missing
from callctl.core.errors import CallctlError
from callctl.core.money.currencies import exponent_of
from callctl.core.money.prices import MICRO_DIGITS
from callctl.features.calls.hints import HintRule, IconName, find_hint
from callctl.features.calls.model import AttemptView, CallSummary


@dataclass(frozen=True, slots=True)
class Badge:
    """A word with a picture and a look, so that colour alone tells nothing (R001-06).

    `is_told`: the text is in the page's language already, and may hold what is not ours.
    """

    text: str
    icon: str
    look: str
    is_told: bool = False


DISPOSITIONS = {
    "ANSWERED": Badge(N_("Answered"), "check", "green"),
    "CANCELLED": Badge(N_("Caller hung up"), "corner-down-left", "amber"),
    "NO_ANSWER": Badge(N_("No answer"), "circle", "amber"),
    "BUSY": Badge(N_("Busy"), "circle-dot", "amber"),
    "REJECTED": Badge(N_("Refused"), "ban", "purple"),
    "FAILED": Badge(N_("Failed"), "x", "purple"),
    "UNKNOWN": Badge(N_("Unknown"), "circle-help", "grey"),
}

MISSED = N_("Missed")
WITHHELD = N_("withheld/unknown")
TOO_LONG = Badge(N_("Too long"), "timer", "amber")

ICONS: dict[IconName, str] = {
    "alert": "triangle-alert",
    "tick": "check",
    "cross": "x",
    "question": "circle-help",
    "return": "corner-down-left",
    "circle": "circle",
    "half": "circle-dot",
    "barred": "ban",
    "incoming": "arrow-down-left",
    "outgoing": "arrow-up-right",
    "internal": "arrow-left-right",
    "star": "star",
    "flag": "flag",
    "phone": "phone",
    "clock": "clock",
}
"""The pictures of display hints, by their names in the set of icons."""

FEATURES = {
    "echo": N_("Echo test"),
    "check": N_("System check"),
    "pickup": N_("Pickup"),
    "listen": N_("Listened to {heard}"),
    "whisper": N_("Whispered to {heard}"),
    "barge": N_("Took part in the call of {heard}"),
}
"""What a feature code was for: nobody was called, so that no other outcome says it well."""

SUPERVISIONS = {
    "listen": Badge(N_("listens to {heard}"), "headphones", "purple"),
    "whisper": Badge(N_("whispers to {heard}"), "volume-2", "purple"),
    "barge": Badge(N_("takes part in the call of {heard}"), "users", "purple"),
}
"""Calls that go on and are nobody's but a supervisor's, who has picked up the phone."""

EMERGENCY = Badge(N_("Emergency call"), "life-buoy", "red")

INTERVENTIONS = {
    "hang_up": Badge(N_("hung up"), "phone-off", "red"),
    "transfer": Badge(N_("transferred"), "phone-forwarded", "grey"),
    "listen": Badge(N_("asked to listen"), "headphones", "purple"),
    "whisper": Badge(N_("asked to whisper"), "volume-2", "purple"),
    "barge": Badge(N_("asked to barge in"), "users", "purple"),
}
"""What was done to a call. Whoever asked to hear it has not, unless the phone was picked up."""

DEVICES = {
    "reachable": Badge(N_("reachable"), "circle-check", "green"),
    "unreachable": Badge(N_("does not answer"), "circle-x", "red"),
    "unregistered": Badge(N_("not registered"), "circle-slash", "amber"),
    "unknown": Badge(N_("not known yet"), "circle-help", "grey"),
    "disabled": Badge(N_("switched off"), "circle-slash", "grey"),
}

REGISTRATIONS = {
    "registered": Badge(N_("registered at the carrier"), "check", "green"),
    "rejected": Badge(N_("refused by the carrier"), "ban", "red"),
    "unregistered": Badge(N_("not registered at the carrier"), "x", "amber"),
}

NOT_LIVE = {
    Missing.ASTERISK: N_(
        "callctl has no connection to Asterisk: calls that have begun since are not shown, and "
        "those shown may be over."
    ),
    Missing.JOURNAL: N_(
        "callctl has not yet read all that Asterisk wrote: the newest calls are not shown, and "
        "those shown may be over."
    ),
    Missing.DATABASE: N_(
        "callctl waits for PostgreSQL: what is shown may be old. Calls go on, and their records "
        "follow."
    ),
}
"""What a person misses on a page that is not live."""

PHONES = {
    "ringing": Badge(N_("rings"), "bell", "amber"),
    "talking": Badge(N_("talks"), "phone-call", "green"),
    "calling": Badge(N_("calls"), "phone-outgoing", "blue"),
    "dnd": Badge(N_("do not disturb"), "ban", "grey"),
    "unreachable": Badge(N_("does not answer"), "circle-x", "grey"),
    "unregistered": Badge(N_("not registered"), "circle-slash", "grey"),
    "disabled": Badge(N_("switched off"), "circle-slash", "grey"),
    "free": Badge(N_("free"), "circle", "grey"),
    "unknown": Badge(N_("not known now"), "circle-help", "grey"),
}
"""What a phone does; of one that does nothing, whether it could."""

DIRECTIONS = {
    "inbound": Badge(N_("Incoming"), "arrow-down-left", "blue"),
    "outbound": Badge(N_("Outgoing"), "arrow-up-right", "grey"),
    "internal": Badge(N_("Internal"), "arrow-left-right", "grey"),
}

RESULTS = {
    "ANSWER": Badge(N_("answered"), "check", "green"),
    "NOANSWER": Badge(N_("did not answer"), "circle", "amber"),
    "BUSY": Badge(N_("was busy"), "circle-dot", "amber"),
    "REJECTED": Badge(N_("declined"), "ban", "amber"),
    "UNAVAILABLE": Badge(N_("could not be reached"), "x", "red"),
    "CANCEL": Badge(N_("was ringing when the caller hung up"), "corner-down-left", "amber"),
    "ANSWERED_ELSEWHERE": Badge(N_("stopped: another one answered"), "phone-forwarded", "grey"),
    "PICKUP": Badge(N_("was picked up by another phone"), "phone-forwarded", "grey"),
    "FORWARD": Badge(N_("forwarded the call"), "phone-forwarded", "grey"),
}

ROLES = {
    "administrator": N_("Administrator"),
    "head": N_("Head"),
    "group_leader": N_("Group leader"),
    "manager": N_("Manager"),
}

ROLE_MEANINGS = {
    "administrator": N_("Does everything: people, routing, money, settings."),
    "head": N_("Sees all calls and reports, routing and money; listens in. Changes none of these."),
    "group_leader": N_("Sees and hears the calls of their group, and listens in."),
    "manager": N_("Sees and hears their own calls; calls back, writes notes."),
}
"""What a role is for (R003-86); docs/permissions.md has every right of it."""

COMPLETENESS = {
    "repaired": N_(
        "This record was put together again after some of its events came late or damaged."
    ),
    "truncated": N_(
        "The end of this call is missing: Asterisk stopped, or the call was still going on when "
        "its events ended."
    ),
}


def badge(table: dict[str, Badge], key: str) -> Badge:
    """A word that is not in the table (of a newer version) shows as it is."""
    return table.get(key) or Badge(key, "circle", "grey")


def supervision(feature: str | None, heard: str | None) -> Badge | None:
    """What a supervisor does to the call of `heard`; None where `feature` is none of theirs."""
    found = SUPERVISIONS.get(feature or "")
    return None if found is None else _told(found.text, found, heard)


def _told(text: str, look: Badge, heard: str | None) -> Badge:
    return Badge(gettext(text).format(heard=heard or "?"), look.icon, look.look, is_told=True)


def is_supervision(route: str | None) -> bool:
    """Whether a supervisor heard another call: no conversation, so that nobody waited or talked."""
    kind, _, feature = (route or "").partition(":")
    return kind == "feature" and feature in SUPERVISIONS


def outcome(disposition: str, route: str | None, heard: str | None = None) -> Badge:
    """How a call ended; a feature code that reached nobody says what it was for. `heard`: whose
    call a supervisor was in."""
    kind, _, feature = (route or "").partition(":")
    if is_supervision(route):
        return _told(FEATURES[feature], SUPERVISIONS[feature], heard)
    if kind == "feature" and disposition != "ANSWERED":
        return Badge(FEATURES.get(feature, feature), "star", "grey")
    return badge(DISPOSITIONS, disposition)


def outcome_badges(call: CallSummary, hint: HintRule) -> list[Badge]:
    """How a call ended, in the look that the account has chosen for it."""
    ended = outcome(call.disposition, call.route, call.to_number)
    if ended is not DISPOSITIONS.get(call.disposition):
        return [ended]
    icon, look = ICONS.get(hint.icon, "circle"), hint.colour
    # What is not known is not called missed (R001-05).
    if call.missed and call.disposition != "UNKNOWN":
        return [Badge(MISSED, icon, look), ended]
    return [Badge(ended.text, icon, look)]


def party_of(attempt: AttemptView) -> str:
    """Who was rung: an extension, else a number outside, else what stands for it in Asterisk."""
    return attempt.extension or attempt.number or attempt.endpoint or "?"


def rang_before(call: CallSummary) -> list[str]:
    """Who was tried without taking the call; `tried` holds each with how it ended."""
    parties = [tried.rpartition(" ")[0] or tried for tried in call.tried]
    return [party for party in dict.fromkeys(parties) if party != call.answered_by]


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
    """Minor units as people of the page's language write them: ``1,234.50 EUR``."""
    if not currency:
        return str(amount)
    exponent = exponent_of(currency)
    return _in_currency(amount, exponent, "0" * exponent, currency)


def price(micros: int, currency: str) -> str:
    """Millionths of the minor unit as ``0.0125 EUR``, without zeros that say nothing."""
    places = exponent_of(currency) + MICRO_DIGITS
    return _in_currency(micros, places, "#" * places, currency)


def _in_currency(number: int, places: int, decimals: str, currency: str) -> str:
    shape = f"#,##0.{decimals}" if decimals else "#,##0"
    text = format_decimal(Decimal(number).scaleb(-places), shape, spoken().locale)
    return f"{text} {currency}"


def plain_amount(amount: int | None, currency: str) -> str:
    """As a form's field takes it back without a doubt: ``1234.50``, with the decimal sign of the
    page's language; empty for None."""
    if amount is None:
        return ""
    exponent = exponent_of(currency)
    shape = f"0.{'0' * exponent}" if exponent else "0"
    text: str = format_decimal(Decimal(amount).scaleb(-exponent), shape, spoken().locale)
    return text


def is_about(error: CallctlError | None, name: str) -> bool:
    """Whether it is the field `name` (``note``, ``administrator.name``) that is wrong."""
    place = (error.field or "").partition(".")[2] if error else ""
    return place == name or place.startswith(f"{name}.")


def query(fields: Mapping[str, Any], **more: Any) -> str:
    """A query string of `fields` and `more`, without what is empty."""
    values = {k: v for k, v in {**fields, **more}.items() if v not in (None, "")}
    return urlencode(values, doseq=True)


@dataclass(frozen=True, slots=True)
class Day:
    """Calls of one day that stand together in a list, each with how it looks."""

    iso: str
    name: str
    calls: list[tuple[CallSummary, HintRule]]


def by_day(calls: Iterable[CallSummary], times: Language, rules: list[HintRule]) -> list[Day]:
    """A page of the list under the headings of its days (R001-07), in the page's order."""
    days = groupby(calls, key=lambda call: times.iso_day(call.started_at))
    found = []
    for iso, group in days:
        of_day = list(group)
        name = times.day_heading(of_day[0].started_at)
        found.append(Day(iso, name, [(call, find_hint(call, rules)) for call in of_day]))
    return found
