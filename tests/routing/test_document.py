"""Routing documents: bad input is named with its line, good input comes back as it was."""

from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from callctl.core.routing.model import Account
from callctl.features.routing import structs
from callctl.features.routing.document import (
    DocumentError,
    build_routing,
    canonical,
    dump_yaml,
    parse_document,
    parse_period,
)
from callctl.features.routing.source import MAX_BYTES, SourceError, read_yaml

ACCOUNT = Account(1, "main", "Main")
DEMO = Path(__file__).parents[2] / "callctl" / "demo" / "routing.yaml"
HEAD = "account: {code: main, country: HU}\n"


def error_of(text: str | bytes) -> str:
    with pytest.raises(DocumentError) as caught:
        build_routing(parse_document(text, "f.yaml")[0], ACCOUNT)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extensions:\n- number: 101\n  ring_seconds: soon",
         "f.yaml:4: extensions[0].ring_seconds: expected int, got str"),
        ('extensions:\n- number: 101\n  ring_seconds: "25"',
         "f.yaml:4: extensions[0].ring_seconds: expected int, got str"),
        ("extensions:\n- {number: 101, dnd: maybe}",
         "f.yaml:3: extensions[0].dnd: expected bool, got str"),
        ("extensions:\n- {number: 101, ring_secs: 25}",
         "f.yaml:3: extensions[0].ring_secs: unknown field ring_secs"),
        ("extensions:\n- name: Bob", "f.yaml:3: extensions[0].number: missing field number"),
        ("extensions:\n  number: 1", "f.yaml:2: extensions: expected array, got object"),
        ("extensions: 5", "f.yaml:2: extensions: expected array, got str"),
        ("trunks:\n- {name: a, host: h}\n- [1]", "f.yaml:4: trunks[1]: expected object, got array"),
        ("hunt_groups: [{name: g, members: [], strategy: loudest}]",
         "f.yaml:2: hunt_groups[0].strategy: invalid enum value 'loudest'"),
        ("account: {code: x}", "f.yaml:2: key 'account' twice: also in line 1"),
        ("extensions:\n- number: 1\n  dnd: true\n  number: 2",
         "f.yaml:5: key 'number' twice: also in line 3"),
        ("extensions: [", "f.yaml:3: not YAML: while parsing a flow node did not"),
        ("dids: !!python/object/apply:os.system [id]",
         "f.yaml:2: tag tag:yaml.org,2002:python/object/apply:os.system is not allowed"),
        ("dids: !!str x", "f.yaml:2: tag tag:yaml.org,2002:str is not allowed"),
        ("dids: *none", "f.yaml:2: *none stands for nothing above"),
        ("---\na: b", "f.yaml:2: a second document"),
        ("? [a]\n: b", "f.yaml:2: a key must be a word"),
        ("x: " + "[" * 30 + "]" * 30, "f.yaml:2: nested deeper than 12 levels"),
        ("schedules: [{name: s, weekly: [mon 8-17]}]",
         "schedules[0].weekly[0]: '8-17' is no range of times: write 08:00-17:00"),
        ("dids: [{number: +3617000001, to: [exten:101]}]",
         "dids[0].to[0]: 'exten:101': no destination of kind 'exten'; there are extension, "
         "hunt_group, number, did, announce, hangup"),
        ("blocklist: [{match: +1., cause: rudely}]",
         "blocklist[0].cause: 'rudely' is no cause: one of unallocated, normal, busy, no_answer, "
         "unavailable, rejected, congestion, or 1 to 127"),
        ("schedules: [{name: s, weekly: [], holidays: [{day: 2026-02-30}]}]",
         "schedules[0].holidays[0].day: '2026-02-30' is no day: write 2026-12-24"),
    ],
)  # fmt: skip
def test_bad_input_says_what_and_where(text, message):
    assert error_of(HEAD + text).startswith(message)


@pytest.mark.parametrize(
    "data", [b"", b"null", b"- a", b"\xff\xfe\x00", b"a: \xe9", b"\x00", b"%YAML"]
)
def test_what_is_no_document_is_refused(data):
    assert error_of(data).startswith("f.yaml")


def test_a_document_is_bounded_in_size():
    assert "at most" in error_of(b"#" * (MAX_BYTES + 1))


def test_aliases_cannot_unfold_without_end():
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    with pytest.raises(SourceError, match="more than"):
        read_yaml(bomb)


def test_an_alias_cannot_hold_itself():
    with pytest.raises(SourceError, match="stands for nothing"):
        read_yaml("a: &a [*a]")


def test_deep_nesting_is_refused_quickly():
    with pytest.raises(SourceError, match="nested deeper"):
        read_yaml("[" * 1_000_000)


def test_an_alias_may_spare_typing():
    text = HEAD + "dids:\n- {number: +3617000001, to: &way [101, 102]}\n"
    document, _ = parse_document(text + "- {number: +3617000002, to: *way}")
    routing, _ = build_routing(document, ACCOUNT)
    assert routing.dids[0].to == routing.dids[1].to


def test_scalars_without_quotes_are_what_their_field_is():
    document, _ = parse_document(
        HEAD
        + "extensions: [{number: 0101, name: yes, ring_seconds: 7, dnd: true, may_dial: [null]}]\n"
        + "dids: [{number: +36 1 700 0001, to: 101, schedule: null}]\n"
        + "emergency: [{number: 112, trunks: [1.5, on]}]"
    )
    extension = document.extensions[0]
    assert (extension.number, extension.name, extension.dnd) == ("0101", "yes", True)
    assert document.dids[0].schedule is None
    assert document.emergency[0].trunks == ["1.5", "on"]
    routing, _ = build_routing(document, ACCOUNT)
    assert routing.dids[0].number == "+3617000001"


def test_numbers_become_e164_by_the_accounts_country():
    text = (
        "dids: [{number: 06 1 700 0001, to: ['number:06301234567', 'did:0617000001', 'group:g']}]"
    )
    did = build_routing(parse_document(HEAD + text)[0], ACCOUNT)[0].dids[0]
    assert [str(d) for d in did.to] == ["number:+36301234567", "did:+3617000001", "hunt_group:g"]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon-fri 08:00-17:00", (0, 1, 2, 3, 4)),
        ("Sat,Sun 8:00 - 9:30", (5, 6)),
        ("fri-mon 20:00-02:00", (0, 4, 5, 6)),
        ("daily 00:00-24:00", tuple(range(7))),
    ],
)
def test_weekly_hours(text, days):
    assert parse_period(text).days == days


def test_the_canonical_form_is_stable_and_means_the_same():
    document, _ = parse_document(DEMO.read_bytes())
    routing, _ = build_routing(document, ACCOUNT)
    form = canonical(document, routing)
    again, _ = parse_document(dump_yaml(form))
    assert again == form
    routing_again, _ = build_routing(again, ACCOUNT)
    assert routing_again == routing
    assert canonical(again, routing_again) == form


def test_an_export_is_plain_yaml_for_others_too():
    document, _ = parse_document(DEMO.read_bytes())
    plain = yaml.safe_load(dump_yaml(document))
    assert plain["extensions"][0]["number"] == "101"


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_with_a_source_error(data):
    with suppress(SourceError):
        assert read_yaml(data).lines[""] >= 1


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_survives_export_and_parse(text):
    extension = structs.ExtensionDoc("101", name=text, blocked_callers=[text])
    account = structs.AccountDoc("main", name=text)
    document = structs.Document(account, extensions=[extension])
    assert parse_document(dump_yaml(document))[0] == document
