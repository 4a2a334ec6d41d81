"""Checks of a whole routing: each mistake is named with its place and the other end."""

from datetime import date, time

import pytest

from callctl.core.routing.check import check_routing
from callctl.core.routing.model import (
    Account,
    DialPattern,
    EmergencyNumber,
    Extension,
    Holiday,
    HuntGroup,
    Member,
    Trunk,
)
from tests.core.routing_world import chain, company, edit


def problems(routing):
    return [(p.path, p.message) for p in check_routing(routing) if not p.warning]


def warnings(routing):
    return [(p.path, p.message) for p in check_routing(routing) if p.warning]


def test_the_company_of_the_tests_is_sound():
    routing = edit(company(), "extensions", "101", may_dial=("national", "international"))
    assert problems(routing) == []


@pytest.mark.parametrize(
    ("kind", "key", "change", "path", "words"),
    [
        ("extensions", "101", {"forward_busy": chain("extension:9")},
         "extensions[0].forward_busy[0]",
         "extension 101 leads to extension:9, which does not exist"),
        ("extensions", "101", {"schedule": "x"}, "extensions[0].schedule",
         "extension 101 keeps schedule x, which does not exist"),
        ("extensions", "101", {"may_dial": ("moon",)}, "extensions[0].may_dial[0]",
         "extension 101 may dial moon, but no outbound route asks for moon; "
         "there are international, national"),
        ("extensions", "101", {"ring_seconds": 0}, "extensions[0].ring_seconds", "out of range"),
        ("extensions", "101", {"name": "a\nb"}, "extensions[0].name", "printable"),
        ("extensions", "101", {"number": "1-1"}, "extensions[0].number", "'1-1' is not"),
        ("extensions", "101", {"caller_id_number": "Bob"}, "extensions[0].caller_id_number", "Bob"),
        ("extensions", "101", {"blocked_callers": ("+3.6",)}, "extensions[0].blocked_callers[0]",
         "'.' may only be the last character"),
        ("trunks", "a", {"host": "x y"}, "trunks[0].host", "'x y' is not"),
        ("trunks", "a", {"host": "h\nh"}, "trunks[0].host", "is not"),
        ("trunks", "a", {"transport": "ws"}, "trunks[0].transport", "one of tcp, tls, udp"),
        ("trunks", "a", {"number_format": "x"}, "trunks[0].number_format", "one of dialled"),
        ("trunks", "a", {"register": True}, "trunks[0].username", "trunk a registers"),
        ("trunks", "a", {"match": ("x;y",)}, "trunks[0].match[0]", "is not an address"),
        ("dids", "+3617000001", {"to": ()}, "dids[0].to", "leads nowhere"),
        ("dids", "+3617000001", {"number": "061"}, "dids[0].number", "such as +3612345678"),
        ("dids", "+3617000001", {"to": chain("hunt_group:x")}, "dids[0].to[0]",
         "did +3617000001 leads to hunt_group:x, which does not exist"),
        ("dids", "+3617000001", {"to": chain("hangup:x")}, "dids[0].to[0]", "'x' is no cause"),
        ("dids", "+3617000001", {"to": chain("announce:../x")}, "dids[0].to[0]", "sound file"),
        ("dids", "+3617000001", {"to": chain("number:0690")}, "dids[0].to[0]", "no outbound route"),
        ("dids", "+3617000001", {"schedule": "x"}, "dids[0].schedule", "which does not exist"),
        ("hunt_groups", "sales", {"members": (Member("9"),)}, "hunt_groups[0].members[0]",
         "hunt group sales has member 9, but extension 9 does not exist"),
        ("hunt_groups", "sales", {"members": (Member("101"), Member("101"))},
         "hunt_groups[0].members[0]", "101 is in hunt group sales twice"),
        ("hunt_groups", "sales", {"number": "101"}, "hunt_groups[0].number", "extensions[0]"),
        ("schedules", "office", {"timezone": "Mars/Base"}, "schedules[0].timezone", "no time zone"),
        ("schedules", "office", {"timezone": "../../etc/passwd"}, "schedules[0].timezone", "no"),
        ("schedules", "office", {"holidays": (Holiday(date(2026, 1, 1), opens=time(8)),)},
         "schedules[0].holidays[0]", "go together"),
        ("outbound", "national", {"trunks": ("a", "zz")}, "outbound[0].trunks[1]",
         "outbound route national uses trunk zz, which does not exist; there are a, b"),
        ("outbound", "national", {"trunks": ()}, "outbound[0].trunks", "has no trunk"),
        ("outbound", "national", {"patterns": (DialPattern("[1"),)}, "outbound[0].patterns[0]",
         "'[' without ']'"),
        ("emergency", "112", {"trunks": ("zz",)}, "emergency[0].trunks[0]",
         "emergency number 112 uses trunk zz"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(kind, key, change, path, words):
    found = problems(edit(company(), kind, key, **change))
    assert [p for p, _ in found if p == path], found
    assert any(words in message for p, message in found if p == path), found


def test_duplicates_name_both_places():
    routing = company(extensions=(*company().extensions, Extension("103")))
    assert ("extensions[5].number", "103 is there already, as extensions[2]") in problems(routing)


@pytest.mark.parametrize("number", ["36905123456", "0690123456", "1161170"])
def test_no_number_but_a_short_one_is_for_emergencies(number):
    """Calls to it are free, unlimited, and nobody ends them."""
    ((path, words),) = problems(company(emergency=(EmergencyNumber(number, ("a",)),)))
    assert path == "emergency[0].number"
    assert "a short number: at most 6 digits" in words
    assert problems(company(emergency=(EmergencyNumber("116117", ("a",)),))) == []


def test_an_emergency_number_cannot_be_an_extension():
    routing = company(emergency=(EmergencyNumber("101", ("a",)),))
    assert problems(routing)[0][0] == "emergency[0].number"


def test_two_trunks_cannot_match_one_address():
    routing = company(
        trunks=(Trunk("a", "h", match=("1.2.3.4",)), Trunk("b", "h", match=("1.2.3.4",)))
    )
    assert problems(routing) == [("trunks[1].match[0]", "trunk b and trunk a both match 1.2.3.4")]


@pytest.mark.parametrize(
    ("edits", "path", "loop"),
    [
        (
            [("dids", "+3617000001", {"to": chain("did:+3617000002")}),
             ("dids", "+3617000002", {"closed": chain("did:+3617000001")})],
            "dids[1].closed[0]",
            "did:+3617000001 -> did:+3617000002 -> did:+3617000001",
        ),
        (
            [("hunt_groups", "sales", {"then": chain("hunt_group:sales")})],
            "hunt_groups[0].then[0]",
            "hunt_group:sales -> hunt_group:sales",
        ),
        (
            [("extensions", "101", {"forward_busy": chain("extension:102")}),
             ("extensions", "102", {"forward_no_answer": chain("extension:101")})],
            "extensions[1].forward_no_answer[0]",
            "extension:101 -> extension:102 -> extension:101",
        ),
    ],
)  # fmt: skip
def test_loops_are_refused_and_shown(edits, path, loop):
    routing = company()
    for kind, key, change in edits:
        routing = edit(routing, kind, key, **change)
    assert problems(routing) == [(path, f"a loop: {loop}")]


def test_a_chain_of_thousands_does_not_exhaust_the_stack():
    groups = tuple(
        HuntGroup(f"g{n}", (Member("101"),), then=chain(f"hunt_group:g{n + 1}"))
        for n in range(5000)
    )
    assert problems(company(hunt_groups=(*groups, HuntGroup("g5000", ())), dids=())) == []


def test_the_account_itself_is_checked():
    routing = company(account=Account(1, "main", "M", timezone="x", country="hu"))
    assert [path for path, _ in problems(routing)] == ["account.timezone", "account.country"]


def test_what_cannot_be_meant_is_a_warning():
    routing = edit(company(), "dids", "+3617000001", to=chain("hangup:busy", "extension:101"))
    routing = edit(routing, "dids", "+3617000002", schedule=None)
    routing = edit(routing, "hunt_groups", "sales", number=None)
    routing = edit(routing, "dids", "+3617000002", to=chain("extension:101"))
    paths = [path for path, _ in warnings(routing)]
    assert {"dids[0].to[1]", "dids[1].closed", "hunt_groups[0]", "schedules[0]"} <= set(paths)
