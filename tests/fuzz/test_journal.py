"""The journal: every byte ends in a row or in quarantine, and nothing that a file holds raises."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from callctl.asterisk.journal import Framer, Poison, RawRow, parse_row
from callctl.core.calls.assembly import CallAssembly
from callctl.core.calls.build import build_call
from callctl.core.calls.events import CelEvent
from callctl.core.calls.inventory import Inventory
from callctl.core.calls.render import record_as_json
from callctl.features.calls.offline import build_journal, load_inventory
from tests.fuzz.rounds import fuzz
from tests.fuzz.test_agi import in_pieces

CALLS = Path(__file__).parent.parent / "calls"
NAMES = sorted(path.stem for path in CALLS.glob("*.csv"))
INVENTORIES: dict[str, Inventory] = {}
ROW = b'1700000000,"CHAN_START","1700000000.000001","a","1","","","s","c","PJSIP/201-00000001","",'
ROW += b'"","1700000000.1","1700000000.1","","",""\n'
junk = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [
            *(b'"', b'""', b"\n", b",", b'","', b"\0", b"\xff", b"\r\n", b'"\n', ROW, ROW[:60]),
            *(b'1,"A","', b'{"extra":"step=x;target"}', b"9" * 40, b"-1.000000", b"." * 9),
        ]
    ),
)
streams = st.lists(junk, max_size=30).map(b"".join)
cuts = st.lists(st.integers(0, 4000), max_size=20)


def inventory(name: str) -> Inventory:
    if name not in INVENTORIES:
        INVENTORIES[name] = load_inventory(CALLS / f"{name}.inventory.json")
    return INVENTORIES[name]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A recorded journal with its name, hurt in a few places: bytes put in, taken out, doubled."""
    name = draw(st.sampled_from(NAMES))
    data = bytearray((CALLS / f"{name}.csv").read_bytes())
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 60)))
        match draw(st.sampled_from(["put", "take", "replace", "double", "number"])):
            case "put":
                data[start:start] = draw(junk)
            case "take":
                del data[start:end]
            case "replace":
                data[start:end] = draw(junk)
            case "double":
                data[start:start] = data[start:end]
            case "number":
                data[start:end] = str(draw(st.integers(-(10**30), 10**30))).encode()
    return name, bytes(data)


def pieces_of(parts: Sequence[bytes]) -> list[RawRow | Poison]:
    framer = Framer()
    return [piece for part in parts for piece in framer.feed(part)] + list(framer.flush())


@fuzz(250)
@given(st.one_of(streams, damaged().map(lambda pair: pair[1])), cuts)
def test_no_byte_vanishes_however_the_file_is_cut(data: bytes, cuts: list[int]) -> None:
    pieces = pieces_of(in_pieces(data, cuts))
    assert b"".join(piece.raw for piece in pieces) == data
    place = 0
    for piece in pieces:
        assert piece.position == place
        place += len(piece.raw)
    assert pieces == pieces_of([data])


@fuzz(250)
@given(st.one_of(streams, damaged().map(lambda pair: pair[1])))
def test_every_row_becomes_an_event_or_is_quarantined(data: bytes) -> None:
    """Only a line of nothing but blanks is neither."""
    for piece in pieces_of([data]):
        event = piece if isinstance(piece, Poison) else parse_row(piece)
        if event is None:
            assert piece.raw.strip(b"\0 \t\r\n") == b""
        elif isinstance(event, Poison):
            assert event.raw == piece.raw


@fuzz(150)
@given(damaged())
def test_every_event_is_in_exactly_one_call(hurt: tuple[str, bytes]) -> None:
    name, data = hurt
    assembly = CallAssembly(0.0)
    filed: list[int] = []
    for piece in pieces_of([data]):
        event = piece if isinstance(piece, Poison) else parse_row(piece)
        if isinstance(event, Poison):
            assembly.note_damage(event.uniqueids)
        elif event is not None:
            assembly.add(event, piece.raw, 0.0)
            filed.append(event.position)
    assembly.close_channels(assembly.open_channels(), 0.0)
    seen: list[int] = []
    while calls := assembly.take_over(1e9, 10):
        for call in calls:
            seen += [event.position for event in call.events]
            build_call(call.events, inventory(name), damaged=call.damaged)
            assembly.forget(call)
    assert sorted(seen) == filed
    assert len(assembly) == 0


@fuzz(150)
@given(damaged())
def test_records_of_a_damaged_journal_can_be_stored_and_shown(hurt: tuple[str, bytes]) -> None:
    name, data = hurt
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        file.write(data)
        file.flush()
        read = build_journal(Path(file.name), inventory(name))
    for record in read.records:
        bad = list(unstorable(record_as_json(record), ""))
        assert not bad


def unstorable(value: Any, place: str) -> Iterator[str]:
    """Places of texts that PostgreSQL, or UTF-8, does not hold."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from unstorable(item, f"{place}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from unstorable(item, f"{place}[{index}]")
    elif isinstance(value, str) and (
        "\0" in value or value != value.encode(errors="replace").decode()
    ):
        yield f"{place} = {value!r}"


columns = st.one_of(st.text(max_size=20), st.sampled_from(["PJSIP/201-1", "PJSIP/trunk-0", ""]))
types = st.sampled_from(
    [
        *("CHAN_START", "CHAN_END", "HANGUP", "ANSWER", "BRIDGE_ENTER", "BRIDGE_EXIT", "PICKUP"),
        *("BLINDTRANSFER", "ATTENDEDTRANSFER", "FORWARD", "PARK_START", "PARK_END", "APP_START"),
        *("LOCAL_OPTIMIZE", "LINKEDID_END", "CALLCTL_ROUTE", "CALLCTL_TRY", "CALLCTL_ATTEMPT"),
        *("CALLCTL_RECORDING", "USER_DEFINED", "nonsense"),
    ]
)
extras = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            *(
                '{"hangupcause":"x"}',
                "[]",
                "{}",
                "null",
                '{"bridge_id":1}',
                "step=;cause=",
                "=;=;=",
            ),
            *("step=-1;dialstatus=ANSWER;cause=99999999999", "file=../../x;start=nan", "step=%FF"),
            *(
                '{"hangupcause":17,"dialstatus":[]}',
                '{"bridge_id":{"a":[]}}',
                '{"channel2_name":3}',
            ),
        ]
    ),
)
ids = st.sampled_from(["1700000000.1", "1700000000.2", "x-1700000001.3", "", "garbage", "9" * 40])
events = st.builds(
    CelEvent,
    *(st.integers(0, 10**6), types, st.integers(0, 10**22)),
    *(columns, columns, columns, columns, columns, columns, columns),
    *(ids.filter(bool), ids.filter(bool), columns, extras),
)


@fuzz(250)
@given(st.lists(events, max_size=12), st.booleans())
def test_any_events_make_a_record_or_none(made: list[CelEvent], hurt: bool) -> None:
    record = build_call(made, inventory(NAMES[0]), damaged=hurt)
    if record is not None:
        json.dumps(record_as_json(record))
