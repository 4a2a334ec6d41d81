"""What the doctor sees (facts) and what it thinks of it (verdicts), kept apart.

Facts are gathered once, by I/O that changes nothing; what could not be seen is `Missing`, with the
reason. Each check is a pure function of the facts, so that every one can be tried.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from callctl.config import Settings
from callctl.core.checks.disks import Space
from callctl.features.checks.doctor.conf_files import Configuration

T = TypeVar("T")


class State(StrEnum):
    """SKIPPED: it could not be seen, because of something that another check tells of."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`words` for people, with the figures. `fix`: instead of the check's own."""

    state: State
    words: str
    fix: str | None = None


def ok(words: str) -> Verdict:
    return Verdict(State.OK, words)


def warning(words: str, fix: str | None = None) -> Verdict:
    return Verdict(State.WARNING, words, fix)


def error(words: str, fix: str | None = None) -> Verdict:
    return Verdict(State.ERROR, words, fix)


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that could not be seen, and why."""

    why: str


class Skip(Exception):
    """This check cannot be made; the text says why."""


def have(fact: T | Missing) -> T:
    """The fact. Raises Skip when it is missing."""
    if isinstance(fact, Missing):
        raise Skip(fact.why)
    return fact


@dataclass(frozen=True, slots=True)
class Manager:
    """What Asterisk says over its manager interface. Field names are in lower case.

    `ahead`: seconds by which its clock is ahead of ours, `uncertain` the error of that. `modules`:
    which of those asked for are loaded.
    """

    settings: Mapping[str, str]
    status: Mapping[str, str]
    commands: frozenset[str]
    modules: Mapping[str, bool]
    fallback_loaded: bool
    ahead: float
    uncertain: float


@dataclass(frozen=True, slots=True)
class AsteriskConsole:
    """What Asterisk prints on its console, by command."""

    output: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AsteriskProcess:
    """Asterisk's process. `hosts` and `network` are as it sees them, None where we may not look."""

    pid: int
    uid: int
    groups: frozenset[int]
    open_files: int
    same_network: bool | None
    hosts: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """A directory. `writable`, `seen`: by Asterisk, as the same one; None where we cannot know."""

    path: Path
    exists: bool
    space: Space
    file_system: str
    writable: bool | None = None
    seen: bool | None = None


@dataclass(frozen=True, slots=True)
class Journal:
    """The journal's live file; None for what it does not have yet.

    `bytes` counts rotated files, too. `row_ok`: the last whole row has our columns.
    """

    exists: bool
    bytes: int
    written_at: float | None
    row_ok: bool | None
    writable: bool | None


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine as we see it. `modes`: of files that hold secrets; `now` in epoch seconds;
    `master_key`: its name, not itself; `broken_libraries`: why each cannot be loaded."""

    now: float
    hostname: str
    hosts: str
    clock_synchronised: bool | None
    places: Mapping[str, Place]
    journal: Journal
    ephemeral_ports: tuple[int, int] | None
    generated_revision: int | None
    modes: Mapping[Path, int]
    certificate_ends: float | Missing
    master_key: str | Missing
    broken_libraries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DaemonState:
    """`agi`: what it says of itself, or why nothing. `taken`: ports that it needs and others have.

    `checks` of `/readyz`, by name: (ready, message); empty when it does not answer.
    """

    running: bool
    agi: str | Missing
    http: str | Missing
    checks: Mapping[str, tuple[bool, str]]
    taken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What PostgreSQL says. `ahead`: as in `Manager`. `schema_problem`: empty when it fits.

    `without_emergency`: accounts that have extensions and no emergency number.
    `recording_masters`: names of the master keys that keys of recordings are wrapped by.
    """

    version: int
    settings: Mapping[str, str]
    encoding: str
    ahead: float
    pending: tuple[str, ...]
    schema_problem: str
    revision: int
    without_emergency: tuple[str, ...]
    recording_masters: tuple[str, ...]
    stored_to: int | None
    quarantined: int
    alarms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was seen."""

    settings: Settings
    machine: Machine
    daemon: DaemonState
    configuration: Configuration | Missing
    process: AsteriskProcess | Missing
    manager: Manager | Missing
    console: AsteriskConsole | Missing
    database: DatabaseState | Missing


@dataclass(frozen=True, slots=True)
class Check:
    """One entry of the list: a stable code, what is looked at, why it matters, what to do."""

    code: str
    what: str
    why: str
    fix: str
    judge: Callable[[Facts], Verdict]


@dataclass(frozen=True, slots=True)
class Result:
    """What one check came to. `fix` is empty when there is nothing to do."""

    check: Check
    state: State
    words: str
    fix: str


def make_check(check: Check, facts: Facts) -> Result:
    """Never raises: a check that fails by itself is an error that says so."""
    try:
        verdict = check.judge(facts)
    except Skip as skipped:
        return Result(check, State.SKIPPED, str(skipped), "")
    except Exception as failure:
        # The edge of one check: the others are worth having all the same.
        words = f"the check itself failed: {type(failure).__name__}: {failure}"
        return Result(check, State.ERROR, words, "Report this as a fault of callctl.")
    if verdict.state is State.OK:
        return Result(check, State.OK, verdict.words, "")
    return Result(check, verdict.state, verdict.words, verdict.fix or check.fix)
