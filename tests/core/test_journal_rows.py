"""The journal's bytes: framing, damage, and what a caller can put into them."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callctl.asterisk.journal import COLUMNS, Framer, Poison, RawRow, parse_row
from callctl.core.calls.events import CelEvent, parse_fields, unique_key
from callctl.core.calls.text import clean_name, clean_number
from callctl.core.routing.encoding import decode_why, encode_why
from callctl.core.routing.plan import Reason

FIXTURES = sorted((Path(__file__).parent.parent / "calls").glob("*.csv"))


def row(**columns: str) -> bytes:
    """A row as Asterisk writes it: a bare epoch, everything else quoted."""
    values = {"eventtype": "CHAN_START", "eventtime": "1700000000.000001", "uniqueid": "1.1"}
    values |= columns
    text = ",".join('"' + values.get(c, "").replace('"', '""') + '"' for c in COLUMNS[1:])
    return f"1700000000,{text}\n".encode("utf-8", "surrogateescape")


def pieces(data: bytes, size: int | None = None) -> list[RawRow | Poison]:
    framer = Framer()
    chunks = [data] if size is None else [data[i : i + size] for i in range(0, len(data), size)]
    found = [p for chunk in chunks for p in framer.feed(chunk)]
    return [*found, *framer.flush()]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.stem)
def test_one_byte_at_a_time_gives_the_same_rows(path: Path) -> None:
    data = path.read_bytes()
    assert pieces(data, 1) == pieces(data)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.stem)
def test_no_byte_is_lost_and_positions_are_theirs(path: Path) -> None:
    data = path.read_bytes()
    found = pieces(data)
    assert b"".join(p.raw for p in found) == data
    for piece in found:
        assert data[piece.position :].startswith(piece.raw)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.stem)
def test_the_fast_way_reads_what_the_csv_module_reads(path: Path) -> None:
    for piece in pieces(path.read_bytes()):
        event = parse_row(piece) if isinstance(piece, RawRow) else piece
        if not isinstance(event, CelEvent):
            continue
        text = piece.raw.decode("utf-8", "surrogateescape").rstrip("\r\n")
        columns = dict(zip(COLUMNS, next(csv.reader(io.StringIO(text, ""))), strict=True))
        assert event.cid_name == columns["cid_name"]
        assert event.uniqueid == columns["uniqueid"]
        assert event.app_data == columns["appdata"]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200))
def test_any_text_of_a_caller_comes_back_as_it_was(text: str) -> None:
    text = text.replace("\r", "")
    found = [parse_row(p) for p in pieces(row(cid_name=text) + row()) if isinstance(p, RawRow)]
    assert [e.cid_name for e in found if isinstance(e, CelEvent)] == [text, ""]


@given(st.binary(max_size=400))
def test_any_bytes_give_rows_or_poison_and_the_next_row_survives(junk: bytes) -> None:
    data = junk + b"\n" + row(uniqueid="7.7") + row(uniqueid="8.8")
    found = pieces(data)
    assert b"".join(p.raw for p in found) == data
    events = [parse_row(p) for p in found if isinstance(p, RawRow)]
    assert "8.8" in [e.uniqueid for e in events if isinstance(e, CelEvent)]


def test_a_forged_row_inside_a_name_stays_a_name() -> None:
    forged = '\n1700000000,"HANGUP","1700000000.000002","","","","","","","","","","9.9"'
    found = pieces(row(cid_name=f"Bob{forged}"))
    event = parse_row(found[0]) if isinstance(found[0], RawRow) else None
    assert isinstance(event, CelEvent)
    assert len(found) == 1
    assert event.cid_name == f"Bob{forged}"


def test_a_row_cut_at_1023_bytes_does_not_swallow_its_neighbours() -> None:
    cut = row(cid_name="x" * 2000, uniqueid="1.1")[:1023] + b"\n"
    found = pieces(row(uniqueid="0.1") + cut + row(uniqueid="2.1"))
    assert [type(p) for p in found] == [RawRow, Poison, RawRow]


def test_poison_tells_whom_it_speaks_of() -> None:
    torn = row(uniqueid="pbx-1700000000.12", linkedid="pbx-1700000000.11")[:-8]
    (piece,) = pieces(torn)
    assert isinstance(piece, Poison)
    assert piece.uniqueids == ("pbx-1700000000.12", "pbx-1700000000.11")


def test_a_row_of_too_few_columns_is_poison() -> None:
    (piece,) = pieces(b'1700000000,"HANGUP","1700000000.000001"\n')
    assert isinstance(piece, RawRow)
    found = parse_row(piece)
    assert isinstance(found, Poison)
    assert "3 columns" in found.reason


def test_unique_ids_compare_as_numbers() -> None:
    ids = ["1700000000.10", "pbx-1700000000.9", "1699999999.99", "garbage"]
    assert sorted(ids, key=unique_key) == [ids[2], ids[1], ids[0], ids[3]]


@given(st.lists(st.builds(Reason, *[st.text("abc ,;~=%$é|!", max_size=9)] * 3), max_size=8))
def test_reasons_come_through_the_journal_unharmed(reasons: list[Reason]) -> None:
    trace = tuple(r for r in reasons if r.code)
    payload = f"direction=inbound;why={encode_why(trace)};plan=p"
    assert decode_why(parse_fields(payload)["why"]) == trace


@pytest.mark.parametrize("text", ["", "anonymous", "Anonymous", "unknown", " restricted "])
def test_withheld_numbers_are_none(text: str) -> None:
    assert clean_number(text) is None


def test_names_lose_what_a_page_cannot_show() -> None:
    assert clean_name("Bob\n\t\x00 X") == "Bob X"
    assert clean_name("\udcff\udcfe") == "\ufffd\ufffd"
    assert clean_name("") is None
    assert len(clean_name("x" * 999) or "") == 200


def test_what_no_database_holds_is_replaced_in_every_column() -> None:
    """NUL and bytes that are no UTF-8: in a channel's name they would have cost the call."""
    raw = row(channame="PJSIP/201-\udcff1", cid_name="a\0b", eventextra='{"extra":"target=%00x"}')
    event = parse_row(RawRow(0, raw))
    assert isinstance(event, CelEvent)
    assert event.channel == "PJSIP/201-\N{REPLACEMENT CHARACTER}1"
    assert event.cid_name == "a\N{REPLACEMENT CHARACTER}b"
    assert parse_fields(event.extra) == {"target": "\N{REPLACEMENT CHARACTER}x"}
    assert decode_why("code~%00")[0].subject == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("time", ["9" * 12 + ".000000", "9" * 5000 + ".000000", "-1.000000"])
def test_a_time_that_no_clock_shows_is_poison(time: str) -> None:
    """Numbers of thousands of digits make int() raise, dates past the year 9999 make datetime."""
    assert isinstance(parse_row(RawRow(0, row(eventtime=time))), Poison)
