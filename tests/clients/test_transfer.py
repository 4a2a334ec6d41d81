"""CSV out and in: the same clients, nothing that a spreadsheet would run, nothing by halves."""

import asyncio
import csv
import io
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callctl.core.errors import CallctlError
from callctl.features.clients import cells, transfer
from callctl.features.clients.cells import read_cell, write_cell
from callctl.features.clients.model import ImportOptions
from callctl.http.endpoint import Actor

from .conftest import Office

NUMBER, SECOND, THIRD = "+36201234567", "+3612345678", "+36301111111"


async def send(
    office: Office, text: str | bytes, token: str | None = None, **options: Any
) -> tuple[int, Any]:
    data = text.encode() if isinstance(text, str) else text
    return await office.ask(
        "POST",
        "/clients.csv",
        token=token,
        data=data,
        params={k: str(v).lower() for k, v in options.items()},
        headers={"Content-Type": "text/csv"},
    )


async def export(office: Office, token: str | None = None) -> str:
    status, text = await office.ask("GET", "/clients.csv", token=token)
    assert status == 200
    assert isinstance(text, str)
    return text


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


async def a_full_account(office: Office) -> None:
    owner = await office.db.fetchval("select id from users")
    ann = await office.add(
        '=HYPERLINK("http://x")',
        type="VIP",
        service_level="@gold",
        address='Fő utca 1.\n"Budapest"; HU',
        email="ann@example.com",
        owner_id=owner,
        notes="-1\n+2",
        numbers=[{"number": NUMBER, "label": "mobile"}, {"number": SECOND}],
    )
    await office.add("'t Hooft", THIRD)
    await office.add("'=x")
    await office.add("王小明", nature="'")
    acme = await office.add("Acme; Kft.", kind="company", nature="limited")
    bolt = await office.add("Bolt", "+3615550001", kind="company")
    for company in (acme, bolt):
        await office.ask("PUT", f"/clients/{ann['id']}/companies/{company['id']}")
    group = (await office.ask("POST", "/client-groups", {"name": "=Friends"}))[1]
    body = {"clients": [ann["id"], acme["id"]]}
    await office.ask("POST", f"/client-groups/{group['id']}/members", body)


def without_ids(text: str) -> list[dict[str, str]]:
    """Rows as they are but for ids: companies by name."""
    found = rows(text)
    names = {r["id"]: r["name"] for r in found}
    for row in found:
        row["companies"] = " / ".join(names[i] for i in row["companies"].split("; ") if i)
        del row["id"], row["owner"]
    return found


async def test_the_own_export_gives_the_same_clients_in_another_account(office: Office) -> None:
    await a_full_account(office)
    text = await export(office)
    theirs = text.replace(",boss,", ",,")
    status, report = await send(office, theirs, office.other)
    assert (status, report["created"], report["failed"]) == (200, 6, 0), report
    assert without_ids(await export(office, office.other)) == without_ids(text)


async def test_the_own_export_changes_nothing_where_it_came_from(office: Office) -> None:
    await a_full_account(office)
    text = await export(office)
    _, before = await office.ask("GET", "/clients")
    status, report = await send(office, text, update=True)
    assert (status, report["created"], report["updated"]) == (200, 0, 6), report
    assert await export(office) == text
    _, after = await office.ask("GET", "/clients")
    for client in before["items"] + after["items"]:
        del client["changed_at"]
    assert after == before


async def test_an_export_runs_nothing_and_keeps_numbers_readable(office: Office) -> None:
    await a_full_account(office)
    await office.add("Plain", "+36205550002", "+36205550003")
    text = await export(office)
    cells_ = [c for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"))) for c in row]
    dangerous = [c for c in cells_ if c[:1] in "=+-@\t\r" and c]
    assert set(dangerous) == {THIRD, "+3615550001", "+36205550002; +36205550003"}
    assert '\'=HYPERLINK(""http://x"")' in text
    assert f"mobile: {NUMBER}; {SECOND}" in text


@given(st.text(alphabet="'=+-@ab1;, \t＝", max_size=6))
def test_cells_come_back_as_they_were(text: str) -> None:
    assert read_cell(write_cell(text)) == text
    written = write_cell(text)
    assert written[:1] not in list("=+-@\t＝") or all(c in "+0123456789; " for c in written)


async def test_an_import_speaks_of_every_wrong_line_and_takes_nothing(office: Office) -> None:
    await office.add("There", NUMBER)
    text = "\n".join(
        (
            "name,kind,type,numbers,companies,owner,email",
            "Good,,,06 1 234 5678,,,",
            '"a\x07b",,,,,,',
            ",,,,,,",
            ",person,,,,,",
            "A,robot,,,,,",
            "B,,no such,,,,",
            f"C,,,{NUMBER},,,",
            "D,,,mobile: 112,,,",
            "E,,,06-1-234-5678,,,",
            "F,,,,Nowhere,,",
            "G,company,,,Good,,",
            "H,,,,,nobody,",
            "I,,,,,,nobody",
            "J,,,,,,,too many",
        )
    )
    status, refused = await send(office, text)
    assert (status, refused["error"]["code"]) == (422, "invalid_import")
    lines = [(e["line"], e["column"]) for e in refused["error"]["detail"]]
    assert sorted(lines, key=str) == sorted(
        [
            (3, "name"),
            (5, "name"),
            (6, "kind"),
            (7, "type"),
            (8, "numbers"),
            (9, "numbers"),
            (10, "numbers"),
            (11, "companies"),
            (12, "companies"),
            (13, "owner"),
            (14, "email"),
            (15, None),
        ],
        key=str,
    )
    assert await office.found() == ["There"]
    status, report = await send(office, text, dry_run=True)
    assert (status, report["created"], report["failed"]) == (200, 2, 12)
    assert await office.found() == ["There"]
    status, report = await send(office, text, partial=True)
    assert (status, report["created"], len(report["errors"])) == (200, 2, 12)
    assert await office.found() == ["F", "Good", "There"]


async def test_companies_are_found_by_the_files_id_or_by_name(office: Office) -> None:
    await office.add("Old Ltd", kind="company")
    text = (
        "id;name;kind;companies\r\n"
        "p1;Ann;person;c1; Old Ltd\r\n"
        "p2;Ben;;Twin\r\n"
        "c1;New Ltd;company;\r\n"
        "c2;Twin;company;\r\nc3;Twin;company;\r\n"
    ).replace("c1; Old Ltd", '"c1; Old Ltd"')
    status, refused = await send(office, text)
    assert refused["error"]["detail"] == [
        {"line": 3, "column": "companies", "message": "several companies are called Twin"}
    ]
    status, report = await send(office, text.replace(";Twin\r\n", ";c3\r\n", 1))
    assert (status, report["created"]) == (200, 5), report
    _, page = await office.ask("GET", "/clients", params={"q": "ann"})
    assert [c["name"] for c in page["items"][0]["companies"]] == ["New Ltd", "Old Ltd"]


async def test_an_id_of_another_account_updates_nothing(office: Office) -> None:
    ann = await office.add("Ann")
    text = (await export(office)).replace(",Ann,", ",Taken over,")
    assert str(ann["id"]) in text
    status, report = await send(office, text, office.other, update=True)
    assert (status, report["created"], report["updated"]) == (200, 1, 0)
    assert await office.found() == ["Ann"]


async def test_an_update_needs_every_column_so_that_none_is_emptied(office: Office) -> None:
    ann = await office.add("Ann", NUMBER)
    status, refused = await send(office, f"id,name\n{ann['id']},Anna\n", update=True)
    assert (status, refused["error"]["detail"][0]["message"]) == (422, "this column is missing")
    text = (await export(office)).replace(",Ann,", ",Anna,")
    assert (await send(office, text, update=True))[1]["updated"] == 1
    assert await office.found(q=NUMBER) == ["Anna"]


async def test_without_update_every_row_is_a_new_client(office: Office) -> None:
    ann = await office.add("Ann")
    await send(office, f"id,name\n{ann['id']},Ann\n")
    assert await office.found() == ["Ann", "Ann"]


NO_FILES: list[tuple[bytes, int]] = [
    (b"", 1),
    (b"\xef\xbb\xbf", 1),
    (b"name\nKov\xe1cs\n", 2),
    ("name\nÁrvíz\n".encode("utf-16"), 1),
    (b"surname\nx\n", 1),
    (b"name,name\nx,y\n", 1),
    (b'name\n"never closed\n', 2),
    (b'name\n"x"y\n', 2),
    (b"name\n" + b"x" * 200_000 + b"\n", 2),
]


async def test_what_is_no_csv_in_utf8_is_refused_with_its_line(office: Office) -> None:
    for data, line in NO_FILES:
        status, refused = await send(office, data)
        assert (status, refused["error"]["code"]) == (422, "invalid_import"), data[:40]
        assert refused["error"]["detail"][0]["line"] == line, data[:40]
    assert await office.found() == []


async def test_a_file_with_a_byte_order_mark_is_read(office: Office) -> None:
    assert (await send(office, b"\xef\xbb\xbfName\r\n\xc3\x81ron\r\n"))[0] == 200
    assert await office.found() == ["Áron"]


async def test_a_file_that_is_too_large_is_refused(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "MAX_ROWS", 3)
    status, refused = await send(office, "name\n" + "x\n" * 4)
    assert (status, refused["error"]["detail"]) == (413, {"limit_rows": 3})
    assert (await send(office, "name\n" + "x\n" * 3))[0] == 200
    monkeypatch.setattr("callctl.features.clients.transfer_api.MAX_BYTES", 10)
    assert (await send(office, "name\n" + "x\n" * 4))[0] == 413
    assert cells.MAX_ROWS == 100_000


async def test_another_type_of_file_is_refused(office: Office) -> None:
    status, refused = await office.ask("POST", "/clients.csv", {"name": "x"})
    assert (status, refused["error"]["code"]) == (415, "unsupported_media_type")


async def test_many_rows_go_through_in_batches(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "BATCH_ROWS", 100)
    monkeypatch.setattr(transfer, "EXPORT_ROWS", 100)
    lines = (f"{i},Client {i:04},+3620{i:07},Group {i % 7}" for i in range(1, 951))
    text = "id,name,numbers,groups\n" + "\n".join(lines)
    status, report = await send(office, text)
    assert (status, report["created"], report["failed"]) == (200, 950, 0)
    found = rows(await export(office))
    assert [r["name"] for r in found] == [f"Client {i:04}" for i in range(1, 951)]
    assert await office.found(q="0000777") == ["Client 0777"]
    status, refused = await send(office, text)
    assert (status, len(refused["error"]["detail"])) == (422, 100)
    assert "and 949 more" in refused["error"]["message"]


class SlowFile(io.BytesIO):
    """A file whose last line is not there until it is let go."""

    def __init__(self, text: str) -> None:
        super().__init__(text.encode())
        self.reached, self.go_on = threading.Event(), threading.Event()

    def __next__(self) -> bytes:
        line = super().__next__()
        if line == b"last\n":
            self.reached.set()
            assert self.go_on.wait(20)
        return line


async def test_calls_are_stored_while_an_import_goes_on(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "BATCH_ROWS", 2)
    await office.register()
    file = SlowFile(f"name,numbers\nAnn,{NUMBER}\nBen,{SECOND}\nlast\n")
    actor = Actor(office.account_id, "anna", frozenset())
    importing = asyncio.create_task(
        transfer.import_clients(office.db, actor, file, ImportOptions())
    )
    assert await asyncio.to_thread(file.reached.wait, 20)
    async with asyncio.timeout(10):
        await office.store(office.call(NUMBER))
    file.go_on.set()
    with pytest.raises(CallctlError, match="took one of the numbers meanwhile"):
        await importing
    assert await office.found() == [NUMBER]
