"""Routing documents: bad input is named with its line, good input comes back as it was."""

import json
import re
import textwrap
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from callctl.asterisk.fallback_plans import sample_number
from callctl.core.routing.check import check_routing
from callctl.core.routing.features import find_feature
from callctl.core.routing.limits import DEFAULTS
from callctl.core.routing.model import Account
from callctl.demo.shop import ROUTING
from callctl.features.routing import structs
from callctl.features.routing.document import (
    DocumentError,
    build_routing,
    canonical,
    parse_document,
)
from callctl.features.routing.dump import dump_yaml
from callctl.features.routing.hours import parse_period
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
         "f.yaml:4: extensions[0].ring_seconds: expected a whole number, got the text 'soon'"),
        ('extensions:\n- number: 101\n  ring_seconds: "25"',
         "f.yaml:4: extensions[0].ring_seconds: expected a whole number, got the text '25'"),
        ("extensions:\n- {number: 101, dnd: maybe}",
         "f.yaml:3: extensions[0].dnd: expected true or false, got the text 'maybe'"),
        ("extensions:\n- {number: 101, ring_secs: 25}",
         "f.yaml:3: extensions[0].ring_secs: unknown field ring_secs"),
        ("extensions:\n- name: Bob", "f.yaml:3: extensions[0].number: missing field number"),
        ("extensions:\n  number: 1", "f.yaml:2: extensions: expected a list, got a mapping"),
        ("extensions: 5", "f.yaml:2: extensions: expected a list, got the text '5'"),
        ("trunks:\n- {name: a, host: h}\n- [1]",
         "f.yaml:4: trunks[1]: expected a mapping, got a list"),
        ("hunt_groups: [{name: g, members: [], strategy: loudest}]",
         "f.yaml:2: hunt_groups[0].strategy: expected one of all, in_order, round_robin, "
         "least_recent, fewest_calls, random, got the text 'loudest'"),
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


def test_all_that_is_of_the_wrong_shape_is_told_at_once():
    text = """extensions:
- {number: 101, ring_seconds: soon, colour: red}
- {name: Bob, dnd: perhaps}
limits:
  destinations: {GB: maybe}
  extension: {concurrent: {hold: many}}
dids: yes
"""
    assert [line.partition(";")[0] for line in error_of(HEAD + text).splitlines()] == [
        "f.yaml:3: extensions[0].ring_seconds: expected a whole number, got the text 'soon'",
        "f.yaml:3: extensions[0].colour: unknown field colour",
        "f.yaml:4: extensions[1].dnd: expected true or false, got the text 'perhaps'",
        "f.yaml:4: extensions[1].number: missing field number",
        "f.yaml:6: limits.destinations.GB: expected one of allow, warn, hold, block, got the text"
        " 'maybe'",
        "f.yaml:7: limits.extension.concurrent.hold: expected a whole number or nothing, got the"
        " text 'many'",
        "f.yaml:8: dids: expected a list, got the text 'yes'",
    ]


def test_thousands_of_faults_are_told_by_a_hundred_of_them():
    text = HEAD + "extensions:\n" + "- {number: 101, dnd: x}\n" * 5000
    assert len(error_of(text).splitlines()) == 100


@pytest.mark.parametrize("text", ["", "\n# nothing yet\n", "null"])
def test_empty_document_says_the_least_that_is_needed(text):
    with pytest.raises(DocumentError, match=r"the document is empty.*account: \{code: main\}"):
        parse_document(text, "f.yaml")


LIMITS = """
limits:
  destinations: {gb: hold, premium: allow, others: block}
  extension_abroad: {calls_per_hour: {warn: 5, hold: 10}, concurrent: {}}
  country: {minutes_per_day: {hold: 100}}
  off_hours: {schedule: office, action: block}
  max_seconds_abroad: 900
  announce: no-entry
schedules: [{name: office, weekly: [mon-fri 08:00-17:00]}]
extensions:
- {number: 101, limits: {extension: {concurrent: {block: 1}}, destinations: {HU: warn}}}
- {number: 102}
"""


def test_limits_come_back_as_they_were_written():
    document = parse_document(HEAD + LIMITS)[0]
    routing, _ = build_routing(document, ACCOUNT)
    names = [rule.name for rule in routing.limits.rules]
    assert names == [
        "extension_abroad.concurrent",
        "extension_abroad.calls_per_hour",
        "country.minutes_per_day",
    ]
    assert routing.limits.destinations[0][0] == "GB"
    assert routing.extensions[0].limits is not None
    assert routing.extensions[1].limits is None
    stored = canonical(document, routing)
    again = parse_document(dump_yaml(stored))[0]
    assert canonical(again, build_routing(again, ACCOUNT)[0]) == stored
    assert build_routing(again, ACCOUNT)[0].limits == routing.limits


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


@pytest.mark.parametrize("text", [DEMO.read_text(), json.dumps(ROUTING)])
def test_every_account_of_the_demo_can_call_for_help(text):
    routing, _ = build_routing(parse_document(text)[0], ACCOUNT)
    assert routing.extensions
    assert [number.number for number in routing.emergency] == ["112"]
    assert check_routing(routing) == []


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


def test_feature_codes_are_those_of_the_dialplan():
    """Every extension of the dialplan's features is one, and all else that is dialled is none."""
    root = Path(__file__).parents[2]
    lines = (root / "dialplan" / "50-features.conf").read_text().splitlines()
    patterns = [line.split()[2].partition(",")[0] for line in lines if line.startswith("exten => ")]
    patterns = [p for p in patterns if p != "_[0-9*#]!"]  # of the row that tells of them
    assert patterns == ["*43", "_*8X.", "*99", "_*99X."]
    for pattern in patterns:
        assert find_feature(sample_number(pattern)) is not None
    parking = (root / "asterisk-conf" / "res_parking.conf").read_text()
    assert "parkext = 700" in parking
    assert "parkpos = 701-720" in parking
    for dialled in ("700", "701", "709", "710", "720", "*8"):
        assert find_feature(dialled) is not None
    for dialled in ("721", "101", "7010", "*44", "*7", "112", "*99x"):
        assert find_feature(dialled) is None


GUIDE = (Path(__file__).parents[2] / "docs" / "routing.md").read_text()


def test_guide_s_table_of_limits_is_what_is_in_force():
    section = GUIDE.partition("## Limits of calls to the outside")[2]
    rows = dict(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|(.*)\|$", section, re.MULTILINE))
    told = {
        name: tuple(int(cell) if cell.strip() else None for cell in cells.split("|"))
        for name, cells in rows.items()
    }
    assert told == {
        rule.name: (rule.threshold.warn, rule.threshold.hold, rule.threshold.block)
        for rule in DEFAULTS.rules
    }
    assert "`destinations`: `premium`, `satellite` | | | always" in section
    assert "`destinations`: `personal`, `unknown` | | always | |" in section
    assert {kind: action.value for kind, action in DEFAULTS.destinations} == {
        "premium": "block", "satellite": "block", "personal": "hold", "unknown": "hold",
    }  # fmt: skip
    assert DEFAULTS.max_seconds_abroad == 2 * 3600


def test_guide_s_example_of_limits_is_sound():
    section = GUIDE.partition("## Limits of calls to the outside")[2]
    block = re.search(r"(?:^    .*\n)+", section, re.MULTILINE)
    assert block is not None
    text = textwrap.dedent(block[0])
    rest = "schedules: [{name: office, weekly: [mon-fri 08:00-17:00]}]\n"
    rest += "trunks: [{name: a, host: 192.0.2.1, match: [192.0.2.1]}]\n"
    rest += "outbound:\n- {name: n, patterns: ['+36.'], trunks: [a]}\n"
    rest += "- {name: i, patterns: ['+.'], trunks: [a], permission: international}\n"
    routing, _ = build_routing(parse_document(HEAD + text + rest)[0], ACCOUNT)
    assert check_routing(routing) == []
    assert routing.extensions[0].limits is not None


def test_what_many_numbers_ring_is_one_object():
    document, _ = parse_document(
        "account: {code: main, country: HU}\n"
        "extensions: [{number: 101}]\n"
        "dids: [{number: '+3617000001', to: extension:101}, "
        "{number: '+3617000002', to: [extension:101, hangup:busy]}]"
    )
    routing, _ = build_routing(document, Account(1, "main", "Main"))
    first, second = routing.dids
    assert first.to[0] is second.to[0]
