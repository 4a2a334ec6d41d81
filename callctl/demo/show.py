"""What the demo prints."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from callctl.demo.play import Played
from callctl.demo.shop import Bought, money

COLUMNS = (
    "time",
    "direction",
    "from",
    "to",
    "answered by",
    "tried",
    "wait",
    "talk",
    "recording",
    "disposition",
)


def history_table(calls: Iterable[dict[str, Any]], zone: ZoneInfo) -> str:
    """The call history (items of ``GET /api/v1/calls``) as plain text, in the zone's time."""
    rows = [COLUMNS, *(_row(call, zone) for call in calls)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = [_line(row, widths) for row in rows]
    return "\n".join([lines[0], _line(["-" * w for w in widths], widths), *lines[1:]])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(call: dict[str, Any], zone: ZoneInfo) -> tuple[str, ...]:
    started = datetime.fromisoformat(call["started_at"]).astimezone(zone)
    return (
        f"{started:%H:%M:%S} {started:%Z}",
        call["direction"],
        call["from_number"] or "withheld",
        call["to_number"] or "-",
        _answerer(call) or "-",
        ", ".join(call["tried"]) or "-",
        f"{call['wait_seconds']:.1f} s",
        f"{call['talk_seconds']:.1f} s",
        "yes" if call["has_recording"] else "-",
        call["disposition"],
    )


def _answerer(call: dict[str, Any]) -> str | None:
    """The extension that answered, or the outside party that did."""
    if call["disposition"] != "ANSWERED":
        return None
    answerer: str | None = call["answered_by"] or call["destination_number"]
    return answerer


def outcome(played: Played) -> str:
    """One call's result, and what is wrong with its record if anything is."""
    if played.problems:
        return "\n".join(["   WRONG", *(f"     {problem}" for problem in played.problems)])
    call = (played.record or {})["call"]
    by = f" by {call['answered_by']}" if call["answered_by"] else ""
    talk = f", talked {call['talk_seconds']:.1f} s" if call["talk_seconds"] else ""
    return f"   {call['disposition']}{by} after {call['wait_seconds']:.1f} s{talk}: record is right"


def purchase(bought: Bought) -> str:
    """A number that was bought, the call to it, and what both cost."""
    lines = [f"   bought {bought.number} for {money(bought.number_cost)}", outcome(bought.played)]
    if bought.problems:
        lines += ["   WRONG", *(f"     {problem}" for problem in bought.problems)]
    charged = f"{money(bought.call_cost)} charged for the call"
    return "\n".join([*lines, f"   {charged}; {money(bought.balance)} left"])


def welcome(url: str, password: str, token: str) -> str:
    """How to go on from here."""
    return f"""
Console    {url}/
Sign in    admin / {password}
API token  {token}

  curl -H 'Authorization: Bearer {token}' '{url}/api/v1/calls?limit=5'
"""
