"""Alarms in PostgreSQL, and while there is none."""

from datetime import UTC, datetime

import pytest

from callctl.core.checks.alarms import Finding
from callctl.core.errors import CallctlError
from callctl.db.pool import Database
from callctl.features.checks.model import AlarmFilters, AlarmView
from callctl.features.checks.service import MOST_UNWRITTEN, AlarmService
from callctl.features.checks.store import AlarmStore
from callctl.telemetry.metrics import REGISTRY

FULL = Finding("disk_full", "journal_path", "1 MB free")
AWAY = Finding("ami_away", "", "cannot_connect")


@pytest.fixture
def alarms(db: Database) -> AlarmService:
    return AlarmService(AlarmStore(db, "pbx"))


async def listed(alarms: AlarmService, **filters: object) -> list[AlarmView]:
    page = await alarms.list_alarms(AlarmFilters(**filters))  # type: ignore[arg-type]
    return page.items


def raised_metric(code: str) -> float | None:
    return REGISTRY.get_sample_value("callctl_alarms_raised", {"code": code})


async def test_an_alarm_is_one_row_from_its_raising_to_its_clearing(alarms: AlarmService) -> None:
    for detail in ("1 MB free", "0 MB free"):
        alarms.observe(("disk_full",), [Finding("disk_full", "journal_path", detail)])
        await alarms.flush()
    (raised,) = await listed(alarms)
    assert (raised.systemname, raised.severity, raised.detail) == ("pbx", "critical", "0 MB free")
    assert raised.raised_at < raised.last_seen_at
    assert raised_metric("disk_full") == 1
    alarms.observe(("disk_full",), [])
    await alarms.flush()
    assert await listed(alarms) == []
    (cleared,) = await listed(alarms, state="cleared")
    assert cleared.id == raised.id
    assert cleared.cleared_at is not None
    assert raised_metric("disk_full") == 0


async def test_raised_again_is_another_row(alarms: AlarmService) -> None:
    for findings in ([AWAY], [], [AWAY]):
        alarms.observe(("ami_away",), findings)
        await alarms.flush()
    newer, older = await listed(alarms, state="all")
    assert (newer.cleared_at is None, older.cleared_at is None) == (True, False)


async def test_after_a_restart_what_is_over_is_cleared_and_what_is_not_keeps_its_beginning(
    alarms: AlarmService, db: Database
) -> None:
    alarms.observe(("disk_full", "ami_away"), [FULL, AWAY])
    await alarms.flush()
    before = {a.code: a for a in await listed(alarms)}
    again = AlarmService(AlarmStore(db, "pbx"))
    again.observe(("disk_full",), [FULL])
    await again.flush()
    again.observe(("ami_away",), [])
    await again.flush()
    (still,) = await listed(again)
    assert (still.code, still.id) == ("disk_full", before["disk_full"].id)
    assert still.raised_at == before["disk_full"].raised_at
    (over,) = await listed(again, state="cleared")
    assert over.id == before["ami_away"].id


async def test_nodes_on_one_database_do_not_clear_each_others_alarms(
    alarms: AlarmService, db: Database
) -> None:
    alarms.observe(("ami_away",), [AWAY])
    await alarms.flush()
    other = AlarmService(AlarmStore(db, "other"))
    other.observe(("ami_away",), [])
    await other.flush()
    assert [a.systemname for a in await listed(other)] == ["pbx"]


async def test_what_happened_without_a_database_is_written_when_it_is_back(
    db: Database,
) -> None:
    nowhere = await Database.connect("postgresql://nobody@127.0.0.1:1/nothing")
    alarms = AlarmService(AlarmStore(nowhere, "pbx"))
    with pytest.raises(CallctlError, match="database_unavailable"):
        await alarms.flush()
    await nowhere.close()
    alarms.observe(("ami_away",), [AWAY])
    alarms.observe(("ami_away",), [])
    assert alarms.raised == ()
    alarms._store = AlarmStore(db, "pbx")
    await alarms.flush()
    (cleared,) = await listed(alarms, state="cleared")
    assert cleared.code == "ami_away"
    for _ in range(MOST_UNWRITTEN):
        alarms.observe(("ami_away",), [AWAY])
        alarms.observe(("ami_away",), [])
    assert len(alarms._unwritten) == MOST_UNWRITTEN


async def test_the_list_has_pages_and_refuses_a_wrong_cursor(alarms: AlarmService) -> None:
    for _ in range(5):
        alarms.observe(("ami_away",), [AWAY])
        alarms.observe(("ami_away",), [])
    await alarms.flush()
    seen: list[int] = []
    cursor: str | None = None
    for _ in range(3):
        page = await alarms.list_alarms(AlarmFilters(state="all", limit=2, cursor=cursor))
        seen += [a.id for a in page.items]
        cursor = page.next
    assert cursor is None
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 5
    with pytest.raises(CallctlError, match="no cursor"):
        await alarms.list_alarms(AlarmFilters(cursor="9" * 20))


async def test_readiness_names_what_is_raised(alarms: AlarmService) -> None:
    await alarms.check_ready()
    alarms.observe(("disk_full", "ami_away"), [AWAY, FULL])
    with pytest.raises(RuntimeError, match="disk_full journal_path; ami_away"):
        await alarms.check_ready()


async def test_a_code_of_a_newer_version_is_shown_without_words(
    alarms: AlarmService, db: Database
) -> None:
    now = datetime.now(UTC)
    await db.execute(
        "insert into alarms (systemname, code, subject, detail, raised_at, last_seen_at) "
        "values ('new', 'of_tomorrow', '', 'y', $1, $1)",
        now,
    )
    (alarm,) = await listed(alarms)
    assert (alarm.code, alarm.meaning) == ("of_tomorrow", "")
