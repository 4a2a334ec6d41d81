"""Alarms: the table, and what is raised, kept and cleared."""

from datetime import UTC, datetime, timedelta

import pytest

from callctl.core.checks.alarms import ALARMS, AlarmBoard, Finding, RaisedAlarm
from callctl.core.checks.disks import MEGABYTE, Space, Thresholds, judge_disks

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LIMITS = Thresholds(warning_mb=2000, critical_mb=500)


def finding(code: str, subject: str = "", detail: str = "x") -> Finding:
    return Finding(code, subject, detail)


def space(device: int, megabytes: int, inodes: int | None = None) -> Space:
    return Space(device, megabytes * MEGABYTE, inodes)


def test_every_alarm_says_what_it_means_and_what_to_do() -> None:
    for code, kind in ALARMS.items():
        assert kind.code == code
        assert kind.meaning.endswith(".")
        assert kind.remedy.endswith((".", "?"))


def test_an_undeclared_alarm_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        finding("nonsense")


def test_an_alarm_is_raised_once_and_cleared_once() -> None:
    board = AlarmBoard()
    first = board.observe(("ami_away",), [finding("ami_away", detail="a")], NOON)
    again = board.observe(("ami_away",), [finding("ami_away", detail="b")], NOON + MINUTE)
    assert [a.code for a in first.raised] == ["ami_away"]
    assert (again.raised, again.cleared) == ((), ())
    (alarm,) = board.raised
    assert (alarm.raised_at, alarm.last_seen_at, alarm.detail) == (NOON, NOON + MINUTE, "b")
    over = board.observe(("ami_away",), [], NOON + 2 * MINUTE)
    assert [a.detail for a in over.cleared] == ["b"]
    assert board.raised == ()
    assert board.observe(("ami_away",), [], NOON).cleared == ()


def test_a_check_clears_only_what_it_checked() -> None:
    board = AlarmBoard()
    board.observe(("disk_low",), [finding("disk_low", "a"), finding("disk_low", "b")], NOON)
    board.observe(("ami_away",), [finding("ami_away")], NOON)
    changes = board.observe(("disk_low", "disk_full"), [finding("disk_full", "a")], NOON)
    assert {(a.code, a.subject) for a in changes.cleared} == {("disk_low", "a"), ("disk_low", "b")}
    assert [a.code for a in board.raised] == ["disk_full", "ami_away"]


def test_an_alarm_of_before_a_restart_keeps_its_beginning() -> None:
    board = AlarmBoard()
    board.observe(("ami_away",), [finding("ami_away", detail="new")], NOON)
    board.restore(
        [
            RaisedAlarm("ami_away", "", "old", NOON - MINUTE, NOON - MINUTE),
            RaisedAlarm("disk_low", "x", "old", NOON - MINUTE, NOON - MINUTE),
        ]
    )
    by_code = {a.code: a for a in board.raised}
    assert by_code["ami_away"].raised_at == NOON - MINUTE
    assert by_code["ami_away"].detail == "new"
    changes = board.observe(("disk_low",), [], NOON)
    assert [a.subject for a in changes.cleared] == ["x"]


@pytest.mark.parametrize(
    ("free", "code"), [(499, "disk_full"), (500, "disk_low"), (1999, "disk_low"), (2000, None)]
)
def test_a_disk_is_low_then_full(free: int, code: str | None) -> None:
    found = judge_disks({"journal_path": space(1, free)}, LIMITS)
    assert [f.code for f in found] == ([code] if code else [])


def test_places_on_one_disk_are_one_alarm() -> None:
    spaces = {"journal_path": space(1, 10), "state_dir": space(2, 9000), "spool": space(1, 10)}
    (found,) = judge_disks(spaces, LIMITS)
    assert (found.subject, found.detail) == ("journal_path, spool", "10 MB free")


def test_a_disk_without_inodes_is_full_whatever_room_it_has() -> None:
    (full,) = judge_disks({"journal_path": space(1, 9000, 0)}, LIMITS)
    (low,) = judge_disks({"journal_path": space(1, 9000, 999)}, LIMITS)
    assert (full.code, low.code) == ("disk_full", "disk_low")
    assert "999 inodes" in low.detail
