"""Another system's history: one record per call, once, and nothing made up."""

import csv
import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from callctl.cli import main
from callctl.core.calls.imported import FREEPBX, WAZO, NotImportable, build_cdr_call
from callctl.core.calls.inventory import Inventory
from callctl.core.calls.record import Disposition
from callctl.core.routing.plan import Direction
from callctl.core.scope import CallScope
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.pool import Database
from callctl.features.calls import imports
from callctl.features.calls.model import CallFilters
from callctl.features.calls.service import CallService
from tests.history.conftest import account_id

__all__ = ["account_id"]

NAMES = [
    *("calldate", "clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata"),
    *("duration", "billsec", "disposition", "amaflags", "accountcode", "uniqueid", "userfield"),
    *("did", "recordingfile", "cnum", "cnam", "outbound_cnum", "outbound_cnam", "dst_cnam"),
    *("linkedid", "peeraccount", "sequence"),
]


def cdr_file(path: Path) -> Path:
    def row(**values: str) -> str:
        return ",".join(f'"{values.get(name, "")}"' for name in NAMES)

    lines = [
        # Inbound to a ring group: 101 does not answer, 102 does after 12 s; 61 s of talk.
        row(calldate="2026-11-22 09:00:00", src="0612345678", dst="600", channel="SIP/carrier-0001",
            dstchannel="SIP/101-0002", duration="10", billsec="0", disposition="NO ANSWER",
            uniqueid="1795334400.1", did="3617000001", cnam='Ann ""A""', linkedid="1795334400.1",
            sequence="1"),
        row(calldate="2026-11-22 09:00:10", src="0612345678", dst="600", channel="SIP/carrier-0001",
            dstchannel="SIP/102-0003", duration="63", billsec="61", disposition="ANSWERED",
            uniqueid="1795334400.1", did="3617000001", linkedid="1795334400.1", sequence="2"),
        # Missed: only a voicemail box took it.
        row(calldate="2026-11-22 09:10:00", src="0612345678", dst="101", channel="SIP/carrier-0004",
            dstchannel="SIP/101-0005", duration="20", billsec="0", disposition="NO ANSWER",
            uniqueid="1795335000.4", did="3617000001", linkedid="1795335000.4", sequence="4"),
        row(calldate="2026-11-22 09:10:20", src="0612345678", dst="vmu101",
            channel="SIP/carrier-0004", dstchannel="", duration="5", billsec="5",
            disposition="ANSWERED", uniqueid="1795335000.4", did="3617000001",
            linkedid="1795335000.4", sequence="5"),
        # Outbound by a trunk, busy; and an internal call.
        row(calldate="2026-11-22 09:20:00", src="101", dst="06301112222", channel="SIP/101-0006",
            dstchannel="SIP/carrier-0007", duration="3", billsec="0", disposition="BUSY",
            uniqueid="1795335600.6", linkedid="1795335600.6", sequence="6", cnum="101"),
        row(calldate="2026-11-22 09:30:00", src="101", dst="102", channel="SIP/101-0008",
            dstchannel="SIP/102-0009", duration="8", billsec="5", disposition="ANSWERED",
            uniqueid="1795336200.8", linkedid="1795336200.8", sequence="8"),
        row(calldate="yesterday", uniqueid="1795336300.9", disposition="ANSWERED", duration="1",
            billsec="1"),
        row(calldate="2026-11-22 09:40:00", uniqueid="=cmd()", disposition="ANSWERED",
            duration="1", billsec="1"),
    ]  # fmt: skip
    path.write_text("\n".join([",".join(NAMES), *lines]) + "\n")
    return path


def test_a_dump_gives_the_calls_that_the_csv_gives(tmp_path: Path) -> None:
    file = cdr_file(tmp_path / "cdr.csv")
    with file.open(encoding="utf-8") as opened:
        names, *rows = csv.reader(opened)
    dump = tmp_path / "cdr.sql"
    values = ",\n".join(
        "(" + ",".join("'" + v.replace("\\", "\\\\").replace("'", "\\'") + "'" for v in row) + ")"
        for row in rows
    )
    columns = ",".join(f"`{name}`" for name in names)
    dump.write_text(f"-- dump\nINSERT INTO `cdr` ({columns}) VALUES\n{values};\n", "utf-8")
    inventory = Inventory.build(["SIP/carrier"], {})
    from_csv = imports.read_file(file, FREEPBX, inventory)
    from_dump = imports.read_file(dump, FREEPBX, inventory, mysql_dump=True)
    assert [c.record for c in from_dump.calls] == [c.record for c in from_csv.calls]
    assert from_dump.rows == from_csv.rows > 0
    dump.write_text("INSERT INTO `cdr` (`calldate`) VALUES ('x');", "utf-8")
    with pytest.raises(ValueError, match="lacks columns: channel"):
        imports.read_file(dump, FREEPBX, inventory, mysql_dump=True)
    assert main(["import", FREEPBX, "--mysql-dump", str(file)]) == 2


INVENTORY = Inventory.build(["SIP/carrier"], {"101": "SIP/101", "102": "SIP/102"})


def test_all_rows_of_one_linkedid_are_one_call(tmp_path: Path) -> None:
    read = imports.read_file(cdr_file(tmp_path / "cdr.csv"), FREEPBX, INVENTORY)
    assert read.rows == 8
    assert [line for line, _ in read.refused] == [8, 9]
    inbound, missed, outbound, internal = (call.record for call in read.calls)
    assert inbound.call_id == "freepbx-cdr:1795334400.1"
    assert (inbound.direction, inbound.disposition, inbound.answered_by) == (
        Direction.INBOUND, Disposition.ANSWERED, "102",
    )  # fmt: skip
    assert inbound.started_us == 1_795_334_400_000_000
    assert inbound.answered_us == inbound.started_us + 12_000_000
    assert inbound.ended_us == inbound.started_us + 73_000_000
    assert [(a.extension, a.result.value) for a in inbound.attempts] == [
        ("101", "NOANSWER"), ("102", "ANSWER"),
    ]  # fmt: skip
    assert (inbound.from_name, inbound.did, inbound.trunk) == ('Ann "A"', "3617000001", "carrier")
    assert (missed.disposition, missed.answered_us) == (Disposition.NO_ANSWER, None)
    assert (outbound.direction, outbound.disposition, outbound.extension) == (
        Direction.OUTBOUND, Disposition.BUSY, "101",
    )  # fmt: skip
    assert (internal.direction, internal.answered_by) == (Direction.INTERNAL, "102")


async def test_a_file_imported_twice_changes_nothing_and_a_dry_run_stores_nothing(
    db: Database, account_id: int, tmp_path: Path
) -> None:
    calls = imports.read_file(cdr_file(tmp_path / "cdr.csv"), FREEPBX, INVENTORY).calls
    assert await imports.save(db, account_id, calls, dry_run=True) == 4
    assert await db.fetchval("select count(*) from calls") == 0
    assert await imports.save(db, account_id, calls[:2]) == 2
    assert await imports.save(db, account_id, calls) == 2
    assert await imports.save(db, account_id, calls) == 0
    page = await CallService(db).list_calls(CallScope(account_id), CallFilters(missed=True))
    assert [c.call_id for c in page.items] == ["freepbx-cdr:1795335000.4"]
    sums = await db.fetchrow("select sum(calls) c, sum(missed) m from rollup_days")
    assert tuple(sums) == (4, 1)
    assert await db.fetchval("select count(*) from outbox") == 0
    lines = await db.fetch("select author, action, after from audit order by id")
    assert [tuple(line) for line in lines] == [("command line", "calls.imported", {"calls": 2})] * 2
    rows = await CallService(db).get_journal_rows(CallScope(account_id), page.items[0].id)
    assert rows.count(b"\n") == 2


def wazo_file(path: Path) -> Path:
    path.write_text(
        "id,tenant_uuid,answered,start,answer,end,destination_extension,destination_name,"
        "destination_internal_extension,duration,call_direction,call_status,requested_extension,"
        "source_extension,source_name,source_internal_extension,tags\n"
        "1,t,True,2026-11-22T08:00:00.5+00:00,2026-11-22T08:00:10.5+00:00,"
        "2026-11-22T08:01:00.5+00:00,1002,Bert,1002,50,inbound,answered,3617000001,+36201234567,"
        "Ann,,\n"
        "2,t,False,2026-11-22T09:00:00+01:00,,2026-11-22T09:00:20+01:00,1002,Bert,1002,,inbound,"
        "unknown,3617000001,+36201234567,Ann,,\n"
        "3,t,False,yesterday,,,1002,,,,inbound,unknown,,,,,\n"
    )
    return path


def test_a_line_of_wazo_s_log_is_a_call(tmp_path: Path) -> None:
    read = imports.read_file(wazo_file(tmp_path / "w.csv"), WAZO, Inventory())
    assert [line for line, _ in read.refused] == [4]
    second, first = sorted((c.record for c in read.calls), key=lambda r: r.call_id, reverse=True)
    assert (first.call_id, first.answered_by, first.to_number) == ("wazo:1", "1002", "3617000001")
    assert first.answered_us == first.started_us + 10_000_000
    assert (second.answered_us, second.answered_by) == (None, None)


def test_a_file_without_names_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("1,2,3\n")
    with pytest.raises(ValueError, match="must name the columns"):
        imports.read_file(path, FREEPBX, Inventory())


def test_any_text_in_any_column_gives_a_record_or_a_reason() -> None:
    chance = random.Random(11)
    texts = ("", "0", "-1", "9" * 30, "ANSWERED", "1795334400.1", "2026-11-22 09:00:00", "SIP/1-2",
             "\udcff\x00", "9999-12-31 23:59:59", "99999999999.1", "\u0661")  # fmt: skip
    made = 0
    for _ in range(3000):
        row = {name: chance.choice(texts) for name in NAMES}
        row |= {"disposition": "BUSY", "duration": "1", "billsec": "0", "sequence": "1"}
        try:
            build_cdr_call([row], INVENTORY)
            made += 1
        except NotImportable:
            pass
    assert made > 0


def test_the_command_says_what_it_did(
    postgres: EmbeddedPostgres, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, database_url: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("CALLCTL_DATABASE_URL", database_url)
    monkeypatch.setenv("CALLCTL_STATE_DIR", str(tmp_path))
    file = str(wazo_file(tmp_path / "w.csv"))
    with ThreadPoolExecutor(1) as pool:  # the command runs a loop of its own

        def run(*arguments: str) -> int:
            return pool.submit(main, ["import", *arguments]).result()

        assert run("wazo", file, "--dry-run") == 1
        assert run("wazo", file, "--json") == 1
        assert run("wazo", file) == 1
        said = capsys.readouterr().out.splitlines()
        assert said[0] == "3 rows, 2 calls: 2 would be stored, 0 known"
        assert json.loads(said[2])["new"] == 2
        assert said[3] == "3 rows, 2 calls: 0 stored, 2 known"
        assert "line 4" in said[4]
        assert run("freepbx-cdr", file) == 2
