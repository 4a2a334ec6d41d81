"""The journal, the recordings, and the room they have."""

from datetime import UTC, datetime
from pathlib import Path

from callctl.core.checks.disks import Thresholds, describe_space, group_places, judge_disks
from callctl.features.checks.doctor.judge_asterisk import JOURNAL_NAME
from callctl.features.checks.doctor.look_asterisk import DEFAULT_LOG_DIR
from callctl.features.checks.doctor.model import (
    Facts,
    Missing,
    Verdict,
    error,
    have,
    ok,
    warning,
)

REMOTE = ("nfs", "cifs", "smb", "fuse", "9p", "ceph", "gluster")
BEHIND_BYTES = 16 * 1024 * 1024
QUIET_SECONDS = 60.0


def judge_path(facts: Facts) -> Verdict:
    ours = facts.settings.journal_path
    log_dir = (
        have(facts.configuration).value("asterisk.conf", "directories", "astlogdir")
        or DEFAULT_LOG_DIR
    )
    theirs = Path(log_dir) / "cel-custom" / JOURNAL_NAME
    if theirs.resolve() != ours.resolve():
        return error(f"callctl reads {ours}, Asterisk writes {theirs}")
    if not facts.machine.places["journal_path"].exists:
        return error(
            f"there is no directory {ours.parent}: Asterisk does not make it, and writes nothing",
            f"mkdir {ours.parent}, owned by Asterisk's user; Asterisk writes into it at once.",
        )
    return ok(str(ours))


def judge_file_system(facts: Facts) -> Verdict:
    place = facts.machine.places["journal_path"]
    kind = place.file_system
    if kind.startswith(REMOTE):
        return error(f"{place.path} is on {kind}: when that hangs, Asterisk goes deaf")
    if kind in ("tmpfs", "ramfs"):
        return warning(f"{place.path} is on {kind}: a restart of the machine loses it")
    return ok(kind or "?")


def judge_writable(facts: Facts) -> Verdict:
    process = have(facts.process)
    place, journal = facts.machine.places["journal_path"], facts.machine.journal
    if place.seen is False:
        return error(f"Asterisk sees another directory at {place.path}")
    if not place.writable and not journal.exists:
        return error(f"Asterisk's user (uid {process.uid}) may not write into {place.path}")
    if journal.writable is False:
        return error(f"Asterisk's user (uid {process.uid}) may not write {JOURNAL_NAME}")
    if not place.writable:
        return warning(
            f"Asterisk's user (uid {process.uid}) may not make files in {place.path}: after the "
            "journal's rotation it could write nothing"
        )
    return ok(f"by Asterisk's user (uid {process.uid})")


def judge_growing(facts: Facts) -> Verdict:
    """Calls since Asterisk's start must have left rows since then."""
    status = have(facts.manager).status
    calls = int(status.get("coreprocessedcalls", "0") or 0)
    journal = facts.machine.journal
    if journal.row_ok is False:
        return error("its last rows do not have our columns: another mapping wrote them")
    if calls == 0:
        return ok("no call yet since Asterisk's start")
    if journal.written_at is None:
        return error(f"Asterisk had {calls} calls, and there is no journal")
    began = _local_time(status)
    written = datetime.fromtimestamp(journal.written_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if began is not None and journal.written_at < began:
        return error(f"Asterisk had {calls} calls since its start; the last row is of {written}")
    return ok(f"last row {written}")


def _local_time(status: object) -> float | None:
    """Asterisk's start in epoch seconds. It says so in its machine's time zone, taken for ours."""
    fields = status if isinstance(status, dict) else dict(status)  # type: ignore[call-overload]
    text = f"{fields.get('corestartupdate', '')} {fields.get('corestartuptime', '')}"
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").astimezone().timestamp()
    except ValueError:
        return None


def judge_reader(facts: Facts) -> Verdict:
    database = have(facts.database)
    journal = facts.machine.journal
    if database.quarantined:
        return warning(
            f"{database.quarantined} pieces of the journal were set aside in the last 24 hours",
            "`select reason, raw from journal_quarantine order by id desc` shows them.",
        )
    if not facts.daemon.running:
        return ok(f"{journal.bytes} bytes; callctl reads on where it stopped")
    ready, message = facts.daemon.checks.get("journal", (True, ""))
    if not ready:
        return error(f"the reader waits: {message}")
    return ok("read to its end, but for the last seconds")


def judge_alarms(facts: Facts) -> Verdict:
    ready, message = facts.daemon.checks.get("alarms", (True, ""))
    raised = message if not ready else "; ".join(_alarms(facts))
    if raised:
        return warning(raised)
    return ok("none is raised")


def _alarms(facts: Facts) -> tuple[str, ...]:
    return () if isinstance(facts.database, Missing) else facts.database.alarms


def judge_space(facts: Facts) -> Verdict:
    settings = facts.settings
    spaces = {name: place.space for name, place in facts.machine.places.items()}
    found = judge_disks(spaces, Thresholds(settings.disk_warning_mb, settings.disk_critical_mb))
    words = "; ".join(f"{f.subject}: {f.detail}" for f in found)
    if any(f.code == "disk_full" for f in found):
        return error(words)
    if found:
        return warning(words)
    return ok("; ".join(f"{n}: {describe_space(s)}" for n, s in group_places(spaces)))


def judge_spool(facts: Facts) -> Verdict:
    """Both sides must mean the same directory, and Asterisk must be able to write there."""
    ours = facts.settings.recordings_spool
    theirs = have(facts.configuration).value("extensions.conf", "globals", "CALLCTL_SPOOL")
    if theirs is None or Path(theirs) != ours:
        return error(f"Asterisk records into {theirs or 'nowhere'}, callctl looks in {ours}")
    place = facts.machine.places["recordings_spool"]
    if not place.exists:
        return error(f"there is no directory {ours}")
    if place.seen is False:
        return error(f"Asterisk sees another directory at {ours}")
    if place.writable is False:
        return error(f"Asterisk's user may not write into {ours}")
    return ok(str(ours))
