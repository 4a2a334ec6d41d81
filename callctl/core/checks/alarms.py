"""Every alarm that callctl raises about itself, declared once, and which of them are raised now.

The API, the console, the log, the metrics and docs/alarms.md speak of the same table.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType


class Severity(StrEnum):
    """How soon somebody must look: CRITICAL at night, too."""

    CRITICAL = "critical"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class AlarmKind:
    """One kind of alarm: its stable code, how bad it is, what it means and what to do."""

    code: str
    severity: Severity
    meaning: str
    remedy: str


_ALL = (
    AlarmKind(
        "journal_lost",
        Severity.CRITICAL,
        "Asterisk had calls that its journal does not have: their records are missing. Asterisk "
        "does not say so when it cannot write, for one when the disk is full.",
        "Look at the disk of `journal_path` first (`df`), then at the file's owner and mode, then "
        "at `cel show status` on Asterisk's console. `callctl doctor` checks all three. Rows "
        "that were never written do not come back; calls from then on are recorded as soon as "
        "there is room.",
    ),
    AlarmKind(
        "journal_end_lost",
        Severity.WARNING,
        "Calls were still open by the journal when Asterisk had them no more: their last rows "
        "were not written. They are closed as `truncated`, at their last row.",
        "As for `journal_lost`. The calls themselves: `GET /api/v1/calls?completeness=truncated`.",
    ),
    AlarmKind(
        "journal_behind",
        Severity.WARNING,
        "The journal is not read to its end: calls are safe in the file, but not in the history.",
        "The detail says what the reader waits for. If it says nothing, a backlog is being read: "
        "watch `callctl_journal_lag_bytes` fall.",
    ),
    AlarmKind(
        "journal_damaged",
        Severity.WARNING,
        "Pieces of the journal were no rows and were set aside in the last 24 hours. The calls "
        "that they touch are marked `repaired` or `truncated`.",
        "`select reason, raw from journal_quarantine order by id desc` shows them; delete them "
        "there when you have looked. A full disk and a mapping other than docs/journal.md's are "
        "the usual causes: `callctl doctor`.",
    ),
    AlarmKind(
        "database_away",
        Severity.CRITICAL,
        "PostgreSQL does not answer. Calls go on and the journal keeps them; history, console "
        "and API do not work.",
        "Start PostgreSQL, or free its disk; callctl takes up by itself where it stopped.",
    ),
    AlarmKind(
        "ami_away",
        Severity.WARNING,
        "There is no connection to Asterisk's manager interface. Calls are not affected; nobody "
        "watches whether the journal has them all, and calls cannot be placed over the API.",
        "Is Asterisk running? Then `callctl doctor`: address, port, user and secret must be the "
        "same in manager.conf and in the settings.",
    ),
    AlarmKind(
        "disk_full",
        Severity.CRITICAL,
        "A disk that calls need has less free space than `disk_critical_mb`. When the journal's "
        "is full, Asterisk loses the records of calls without a word.",
        "Make room at the place that the alarm names, the journal's first. Rotated journals "
        "(`journal.csv.*`) that are in a backup may be moved away, except the newest two.",
    ),
    AlarmKind(
        "disk_low",
        Severity.WARNING,
        "A disk that calls need has less free space than `disk_warning_mb`.",
        "Make room or a larger disk before it becomes `disk_full`.",
    ),
    AlarmKind(
        "recording_without_call",
        Severity.WARNING,
        "Files lie among the recordings that no call names.",
        "Listen to one: its name begins with the unique id of its channel. Calls that the journal "
        "lost leave such files; else somebody put them there. Move them out.",
    ),
    AlarmKind(
        "recording_missing",
        Severity.WARNING,
        "`lost`: recordings of the last 30 days whose file is gone. `never made`: calls of the "
        "last day that were to be recorded, and Asterisk left no file.",
        "Lost: is `recordings_dir` mounted? Else restore the files from the backup. Never made: is "
        "`recordings_spool` writable for Asterisk, and its disk not full?",
    ),
    AlarmKind(
        "calls_held",
        Severity.WARNING,
        "Calls to the outside went over a limit and are refused until somebody decides.",
        "`callctl limits holds` shows them; `callctl limits approve ID` lets such calls pass for "
        "a day, `refuse ID` keeps them held. If nobody of yours placed them, change the "
        "extension's password first (docs/routing.md).",
    ),
    AlarmKind(
        "calls_blocked",
        Severity.CRITICAL,
        "More than ten calls of one extension to the outside were blocked within an hour: that is "
        "how a phone behaves whose password a stranger has.",
        "`callctl limits notices` shows where to. Set another `secret` for the extension, apply, "
        "and look at its calls of the last days.",
    ),
    AlarmKind(
        "check_failed",
        Severity.WARNING,
        "A check of this list could not be made, so its alarms stay as they were.",
        "The detail and the log (`self_check_failed`) say why.",
    ),
)

ALARMS: Mapping[str, AlarmKind] = MappingProxyType({kind.code: kind for kind in _ALL})


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found wrong: an alarm's code, what it is about, words with the figures.

    Raises KeyError for a code that is not declared.
    """

    code: str
    subject: str
    detail: str

    def __post_init__(self) -> None:
        ALARMS[self.code]


@dataclass(frozen=True, slots=True)
class RaisedAlarm:
    """An alarm that is raised. `subject` tells several of one code apart; empty where one is."""

    code: str
    subject: str
    detail: str
    raised_at: datetime
    last_seen_at: datetime

    @property
    def kind(self) -> AlarmKind:
        return ALARMS[self.code]


@dataclass(frozen=True, slots=True)
class Changes:
    """What one round of a check changed."""

    raised: tuple[RaisedAlarm, ...]
    cleared: tuple[RaisedAlarm, ...]


class AlarmBoard:
    """The alarms that are raised now, in memory: it must work when nothing else does."""

    def __init__(self) -> None:
        self._raised: dict[tuple[str, str], RaisedAlarm] = {}

    @property
    def raised(self) -> tuple[RaisedAlarm, ...]:
        """The worst first, then the oldest."""
        return tuple(
            sorted(
                self._raised.values(),
                key=lambda a: (a.kind.severity is not Severity.CRITICAL, a.raised_at, a.code),
            )
        )

    def restore(self, alarms: Iterable[RaisedAlarm]) -> None:
        """Take over what was raised before a restart; the next round clears what is no more."""
        for alarm in alarms:
            key = (alarm.code, alarm.subject)
            known = self._raised.get(key)
            if known is None:
                self._raised[key] = alarm
            else:
                since = min(known.raised_at, alarm.raised_at)
                self._raised[key] = replace(known, raised_at=since)

    def observe(
        self, checked: Collection[str], findings: Iterable[Finding], now: datetime
    ) -> Changes:
        """One round: of the codes `checked`, exactly `findings` are wrong."""
        found = {(f.code, f.subject): f for f in findings}
        raised = []
        for key, finding in found.items():
            known = self._raised.get(key)
            since = now if known is None else known.raised_at
            alarm = RaisedAlarm(finding.code, finding.subject, finding.detail, since, now)
            self._raised[key] = alarm
            if known is None:
                raised.append(alarm)
        gone = [key for key in self._raised if key[0] in checked and key not in found]
        return Changes(tuple(raised), tuple(self._raised.pop(key) for key in gone))
