"""Calls decided, explained and remembered by the service, on a real PostgreSQL."""

from datetime import timedelta

import pytest

from callctl.core.errors import CallctlError
from callctl.core.routing.expectations import plan_words
from callctl.core.routing.reasons import render_reason
from callctl.features.routing.document import parse_document
from callctl.features.routing.dump import dump_yaml
from callctl.features.routing.service import RoutingService
from callctl.features.routing.store import RoutingStore
from callctl.features.routing.words import format_plan

from .asked import NOW, decide
from .conftest import DEMO


async def test_a_call_is_decided_from_its_endpoint(world):
    await world.apply()
    plan = decide(world.service, "carrier-a", "06 1 700 0002")
    assert plan_words(plan)[:2] == ("ring 101 3s record", "ring 102 5s record")
    assert decide(world.service, "101", "102", "anything").caller_number == "101"
    assert decide(world.service, "nobody", "101").route == "unknown"
    forged = decide(world.service, "carrier-b", "101", "101")
    assert (forged.direction, forged.route) == ("inbound", "unknown")


@pytest.mark.parametrize(
    ("caller", "withheld"),
    [("+36201234567", True), (None, False), ("", False), ("anonymous", False)],
)
async def test_a_caller_without_number_is_withheld(world, caller, withheld):
    await world.apply(DEMO.replace("- {match: +3690.,", "- withheld\n  - {match: +3690.,"))
    plan = decide(world.service, "carrier-a", "+3617000001", caller, withheld=withheld)
    assert plan.route == "blocklist:withheld"


@pytest.mark.parametrize(
    "text",
    [
        "${SHELL(id)}",
        "101&PJSIP/102",
        "101,60,g",
        "1\r\nAction: x",
        '"',
        "x" * 10_000,
        "\udcff",
        "\0",
    ],
)
async def test_hostile_callers_get_a_plan_that_says_nothing_of_theirs_unescaped(world, text):
    await world.apply()
    plan = decide(world.service, "carrier-a", text, text, caller_name=text, uniqueid=text)
    assert plan_words(plan) == ("hangup unallocated",)
    assert decide(world.service, "carrier-a", "+3617000001", text).route == "did:+3617000001"


async def test_round_robin_remembers_over_a_restart(world):
    await world.apply()
    first = [decide(world.service, "carrier-a", "+3617000005").steps[0].targets[0].extension
             for _ in range(4)]  # fmt: skip
    assert first == ["101", "102", "106", "101"]
    await world.service.save_memory()
    again = RoutingService(RoutingStore(world.db))
    await again.load()
    assert decide(again, "carrier-a", "+3617000005").steps[0].targets[0].extension == "102"


async def test_answered_calls_count_for_the_day(world):
    await world.apply(DEMO.replace("strategy: round_robin", "strategy: fewest_calls"))

    def first(now):
        return decide(world.service, "carrier-a", "+3617000005", now=now).steps[0].targets[0]

    world.service.note_answered(world.main, "101", NOW)
    world.service.note_answered(world.main, "102", NOW)
    assert first(NOW).extension == "106"
    assert first(NOW + timedelta(days=1)).extension == "101"


async def test_least_recent_goes_by_who_answered(world):
    await world.apply(DEMO.replace("strategy: round_robin", "strategy: least_recent"))
    world.service.note_answered(world.main, "101", NOW)
    world.service.note_answered(world.main, "102", NOW - timedelta(hours=1))
    plan = decide(world.service, "carrier-a", "+3617000005")
    assert [s.targets[0].extension for s in plan.steps[:-1]] == ["106", "102", "101"]


async def test_explain_knows_feature_codes(world):
    await world.apply()
    plan = world.service.explain(world.main, "101", "*43", NOW)
    assert (plan.route, plan.steps) == ("feature:echo", ())
    assert "hear yourself" in render_reason(plan.trace[0])
    assert world.service.explain(world.main, "06201234567", "*43", NOW).route == "unknown"


async def test_explain_says_what_it_takes_an_unknown_extension_for(world):
    await world.apply()
    plan = world.service.explain(world.main, "199", "+3617000001", NOW)
    assert render_reason(plan.trace[0]) == (
        "199 is no extension: it is taken for a number outside that calls in by trunk carrier-a"
    )
    known = world.service.explain(world.main, "06201234567", "+3617000001", NOW)
    assert known.trace[0].code == "did"


async def test_explain_rings_nobody_and_remembers_nothing(world):
    await world.apply()
    for _ in range(2):
        plan = world.service.explain(world.main, "06201234567", "06 1 700 0005", NOW)
        assert plan.steps[0].targets[0].extension == "101"
    text = format_plan(
        world.service.explain(world.main, "101", "0630 123 4567", "2026-07-06 10:00")
    )
    assert "1. trunk carrier-dead +36301234567 15s" in text
    assert "- route national takes it by pattern +36[237]0XXXXXXX" in text


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("extension:999", "101", NOW), "from"),
        (("101", "", NOW), "to"),
        (("101", "102", "soon"), "at"),
        (("+36201234567", "+3617000001", NOW, "nowhere"), "via"),
    ],
)
async def test_explain_names_the_argument_that_is_wrong(world, arguments, field):
    await world.apply()
    with pytest.raises(CallctlError) as caught:
        world.service.explain(world.main, *arguments)
    assert (caught.value.code, caught.value.field) == ("invalid_field", field)


# The cheapest trunk first

CHEAPEST = """
account: {code: other, country: HU, timezone: Europe/Budapest}
extensions: [{number: 101}]
trunks:
- {name: a, host: 192.0.2.9, match: [192.0.2.9]}
- {name: b, host: 192.0.2.8, match: [192.0.2.8]}
outbound:
- {name: world, patterns: ["+."], trunks: [a, b], permission: national, order: cheapest}
"""


async def test_other_prices_make_another_order_and_only_that_is_told(world):
    orders = {}
    told = []

    async def on_change(table):
        told.append(table)

    service = RoutingService(
        RoutingStore(world.db),
        on_change,
        orders_of=lambda routing: dict(orders) if routing.account.code == "other" else {},
    )
    await service.load()
    await service.apply(world.other, CHEAPEST, "tester")
    assert "order: cheapest" in dump_yaml(service.export(world.other))
    [endpoint] = [
        e for e, o in service.table.endpoints.items() if o == (world.other, "extension", "101")
    ]
    told.clear()

    def trunks():
        plan = decide(service, endpoint, "+447700900101", caller="101")
        return [s.trunk for s in plan.steps if hasattr(s, "trunk")], plan

    assert trunks()[0] == ["a", "b"]
    before = service.table
    await service.prices_changed()
    assert told == []
    assert service.table is before
    orders["world"] = {"44": ("b", "a")}
    await service.prices_changed()
    assert told == [service.table]
    names, plan = trunks()
    assert names == ["b", "a"]
    assert "route world tries the cheapest trunk first: b a" in map(render_reason, plan.trace)


async def test_a_document_that_is_only_tried_goes_by_the_cheapest_trunk_too(world):
    service = RoutingService(
        RoutingStore(world.db), orders_of=lambda routing: {"world": {"44": ("b", "a")}}
    )
    await service.load()
    at = "2026-07-06 10:00"
    tried, _ = parse_document(CHEAPEST)
    plan = service.explain(world.other, "101", "+447700900101", at, document=tried)
    assert [s.trunk for s in plan.steps if hasattr(s, "trunk")] == ["b", "a"]
    await service.apply(world.other, CHEAPEST, "tester")
    assert service.explain(world.other, "101", "+447700900101", at).steps == plan.steps
