"""Calls to numbers outside: which carriers are tried, and who may dial what."""

import asyncio
from typing import Any

import pytest

from callctl.demo.sip import Answer, Phone
from tests.asterisk.scenarios.office import Office, reasons, results

pytestmark = pytest.mark.asterisk


async def _call(office: Office, extension: str, to: str, tried: tuple[str, ...]) -> dict[str, Any]:
    caller = await office.inside(extension, to, talk=0.4)
    record = await office.verified(caller, tried)
    assert record["call"]["direction"] == "outbound"
    assert record["call"]["extension"] == extension
    assert record["call"]["from_number"] == extension
    return record


async def test_each_kind_of_failure_of_the_first_carrier(
    office: Office, carriers: dict[str, Phone]
) -> None:
    """Dead and 503: the next carrier takes it. The callee itself is busy: no other is asked."""
    dead, refused, busy = await asyncio.gather(
        _call(office, "101", "06301112233", ("carrier-dead", "carrier-b")),
        _call(office, "102", "06701112233", ("carrier-503", "carrier-b")),
        _call(office, "103", "06201112233", ("carrier-486",)),
    )
    assert results(dead) == [("carrier-dead", "UNAVAILABLE"), ("carrier-b", "ANSWER")]
    assert results(refused) == [("carrier-503", "UNAVAILABLE"), ("carrier-b", "ANSWER")]
    assert results(busy) == [("carrier-486", "BUSY")]
    assert dead["call"]["to_number"] == dead["call"]["destination_number"] == "+36301112233"
    assert dead["call"]["trunk"] == "carrier-b"
    assert busy["call"]["disposition"] == "BUSY"
    by_number = {saw.dialled: saw for saw in carriers["carrier-b"].calls}
    assert by_number["+36301112233"].from_number == "+3617000000"


async def test_numbers_that_an_extension_may_not_dial_are_refused(
    office: Office, carriers: dict[str, Phone]
) -> None:
    """102 has no right abroad, 104 none at all; nobody knows 12; but 104 may call for help."""
    seen_before = {name: len(carrier.calls) for name, carrier in carriers.items()}

    async def refused(extension: str, to: str, code: int, reason: str) -> dict[str, Any]:
        caller = await office.inside(extension, to)
        saw = await caller.ended()
        assert saw.final_code == code
        record = await office.verified(caller, ())
        assert record["call"]["disposition"] == "REJECTED"
        assert reason in [code for code, _ in reasons(record)]
        return record

    abroad, local, unknown = await asyncio.gather(
        refused("102", "00442071838750", 403, "no_permission"),
        refused("103", "99", 404, "no_route"),
        refused("105", "abc", 404, "no_route"),
    )
    assert abroad["call"]["to_number"] == "+442071838750"
    assert local["call"]["direction"] == unknown["call"]["direction"] == "outbound"
    national = await refused("104", "06301112233", 403, "no_permission")
    assert national["attempts"] == []
    assert {name: len(carrier.calls) for name, carrier in carriers.items()} == seen_before


@pytest.mark.parametrize("extension", ["104", "123"])
async def test_emergency_number_needs_no_permission(
    office: Office, carriers: dict[str, Phone], extension: str
) -> None:
    """104 may dial nothing else, 123 is disabled."""
    del carriers
    record = await _call(office, extension, "112", ("carrier-dead", "carrier-b"))
    assert record["call"]["disposition"] == "ANSWERED"
    assert record["call"]["to_number"] == "112"
    assert ("emergency", "112") in reasons(record)


async def test_carrier_with_all_its_lines_taken_is_passed_over(
    office: Office, carriers: dict[str, Phone]
) -> None:
    first = await office.inside("101", "06311112233")
    await first.answered()
    record = await _call(office, "102", "06311114455", ("carrier-one", "carrier-b"))
    assert results(record) == [("carrier-one", "UNAVAILABLE"), ("carrier-b", "ANSWER")]
    assert record["attempts"][0]["cause"] == 34
    assert [saw.dialled for saw in carriers["carrier-one"].calls] == ["+36311112233"]
    await first.hang_up()
    await office.verified(first, ("carrier-one",))
    again = await _call(office, "102", "06311116677", ("carrier-one",))
    assert again["call"]["trunk"] == "carrier-one"


async def test_call_between_extensions_stays_inside(
    office: Office, carriers: dict[str, Phone]
) -> None:
    """Also when the extension is dialled by its number from outside."""
    before = sum(len(carrier.calls) for carrier in carriers.values())
    await office.phone("102", Answer(after=0.2))

    async def call(extension: str, to: str) -> dict[str, Any]:
        caller = await office.inside(extension, to, talk=0.4)
        return await office.verified(caller, ("102",))

    direct, by_did = await asyncio.gather(call("101", "102"), call("103", "0617000102"))
    for record in (direct, by_did):
        assert record["call"]["direction"] == "internal"
        assert record["call"]["answered_by"] == "102"
    assert ("own_did", "+3617000102") in reasons(by_did)
    assert sum(len(carrier.calls) for carrier in carriers.values()) == before
