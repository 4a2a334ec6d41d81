"""The six strategies of a hunt group."""

from dataclasses import replace

import pytest

from callctl.core.routing.model import HuntGroup, HuntMemory, Member, RingStrategy
from callctl.core.routing.strategies import order_members

GROUP = HuntGroup("sales", tuple(Member(str(n)) for n in range(101, 105)))


def order(strategy: RingStrategy, memory: HuntMemory, uniqueid: str = "1.1") -> list[str]:
    group = replace(GROUP, strategy=strategy)
    return [m.extension for m in order_members(group, 1, uniqueid, memory)]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (RingStrategy.ALL, "101 102 103 104"),
        (RingStrategy.IN_ORDER, "101 102 103 104"),
        (RingStrategy.ROUND_ROBIN, "103 104 101 102"),
        (RingStrategy.LEAST_RECENT, "104 102 101 103"),
        (RingStrategy.FEWEST_CALLS, "102 103 101 104"),
    ],
)
def test_order_by_what_is_remembered(strategy, expected):
    memory = HuntMemory(
        offered_first={(1, "sales"): "102", (2, "sales"): "103"},
        answered_at={(1, "101"): 30.0, (1, "102"): 20.0, (1, "103"): 40.0, (2, "104"): 99.0},
        answered_count={(1, "101"): 2, (1, "104"): 3, (2, "102"): 9},
    )
    assert order(strategy, memory) == expected.split()


@pytest.mark.parametrize("strategy", RingStrategy)
def test_without_memory_and_call_each_gives_the_configured_order(strategy):
    assert order(strategy, HuntMemory(), uniqueid="") == ["101", "102", "103", "104"]


def test_random_is_the_same_for_a_call_and_different_over_calls():
    orders = {tuple(order(RingStrategy.RANDOM, HuntMemory(), f"1.{n}")) for n in range(200)}
    assert order(RingStrategy.RANDOM, HuntMemory(), "1.7") == order(
        RingStrategy.RANDOM, HuntMemory(), "1.7"
    )
    assert len(orders) == 24


def test_round_robin_starts_anew_when_the_remembered_member_has_left():
    memory = HuntMemory(offered_first={(1, "sales"): "999"})
    assert order(RingStrategy.ROUND_ROBIN, memory)[0] == "101"
