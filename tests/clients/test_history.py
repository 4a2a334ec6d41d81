"""Calls and their clients: history goes by numbers, the type stays as it was (R001-19, R001-22)."""

from datetime import UTC, datetime

import pytest

from callctl.core.routing.plan import Direction
from callctl.core.scope import CallScope
from callctl.features.clients.model import ClientFilters
from callctl.features.clients.service import ClientService

from .conftest import Office

NUMBER, SECOND, THIRD = "+36201234567", "+3612345678", "+36301111111"


async def test_a_call_keeps_the_type_and_shows_the_new_one_beside_it(office: Office) -> None:
    ann = await office.add("Ann", NUMBER, type="potential")
    await office.store(office.call(NUMBER))
    await office.ask("PATCH", f"/clients/{ann['id']}", {"type": "problem"})
    await office.store(office.call(NUMBER, minute=1))
    await office.store(office.call(SECOND, minute=2))
    shown = [(c["client_type"], c["client_type_now"]) for c in await office.calls()]
    assert shown == [(None, None), ("problem", "problem"), ("potential", "problem")]
    assert len(await office.calls(client_type="potential")) == 1
    assert len(await office.calls(client_type="problem")) == 1
    assert await office.calls(client_type="VIP") == []
    assert await office.calls(client_type="no such type") == []


async def test_the_history_of_a_client_is_that_of_all_its_numbers(office: Office) -> None:
    ann = await office.add("Ann", NUMBER, SECOND)
    ben = await office.add("Ben", THIRD)
    await office.add("Without numbers")
    ids = await office.store(
        office.call(NUMBER),
        office.call(SECOND, direction=Direction.OUTBOUND, minute=1),
        office.call(THIRD, minute=2),
        office.call(None, minute=3),
    )
    assert [c["id"] for c in await office.calls(client=ann["id"])] == [ids[1], ids[0]]
    assert [c["id"] for c in await office.calls(client=ben["id"])] == [ids[2]]
    assert [c["id"] for c in await office.calls(client=ann["id"], number="2345678")] == [ids[1]]
    assert [c["id"] for c in await office.calls(client=ann["id"], direction="inbound")] == ids[:1]
    assert await office.calls(client=ben["id"] + 1) == []
    theirs = await office.ask("GET", f"/calls?client={ann['id']}", token=office.other)
    assert theirs[1]["items"] == []


@pytest.mark.parametrize("sort", ["-started_at", "started_at", "changed_at"])
async def test_pages_by_client_and_by_type_neither_skip_nor_repeat(
    office: Office, sort: str
) -> None:
    ann = await office.add("Ann", NUMBER, SECOND, type="VIP")
    numbers = (NUMBER, SECOND, THIRD)
    await office.store(*(office.call(numbers[i % 3], minute=i // 4) for i in range(12)))
    for query in ({"client": ann["id"]}, {"client_type": "VIP"}):
        whole = [c["id"] for c in await office.calls(sort=sort, **query)]
        assert len(whole) == 8
        seen: list[int] = []
        cursor = ""
        while cursor is not None:
            params = {"sort": sort, "limit": "3", "cursor": cursor} | {
                k: str(v) for k, v in query.items()
            }
            _, page = await office.ask("GET", "/calls", params=params)
            seen += [c["id"] for c in page["items"]]
            cursor = page["next"]
        assert seen == whole


async def test_history_follows_a_number_that_moves(office: Office) -> None:
    ann, ben = await office.add("Ann", NUMBER, type="VIP"), await office.add("Ben")
    (id_,) = await office.store(office.call(NUMBER))
    await office.ask("PATCH", f"/clients/{ann['id']}", {"numbers": []})
    await office.ask("PATCH", f"/clients/{ben['id']}", {"numbers": [{"number": NUMBER}]})
    assert await office.calls(client=ann["id"]) == []
    (call,) = await office.calls(client=ben["id"])
    assert (call["id"], call["client_name"], call["client_type"]) == (id_, "Ben", "VIP")


async def test_a_merge_moves_everything_and_keeps_the_history(office: Office) -> None:
    ann = await office.add("Ann", NUMBER, type="VIP", notes="first", address="")
    anna = await office.add("Anna", SECOND, type="problem", notes="second", address="There")
    acme, bolt = await office.add("Acme", kind="company"), await office.add("Bolt", kind="company")
    for person, company in ((ann, acme), (anna, acme), (anna, bolt)):
        await office.ask("PUT", f"/clients/{person['id']}/companies/{company['id']}")
    group = (await office.ask("POST", "/client-groups", {"name": "Friends"}))[1]
    await office.ask("POST", f"/client-groups/{group['id']}/members", {"clients": [anna["id"]]})
    await office.store(office.call(NUMBER), office.call(SECOND, minute=1))

    status, one = await office.ask("POST", f"/clients/{ann['id']}/merge", {"loser": anna["id"]})
    assert status == 200
    assert [n["number"] for n in one["numbers"]] == [NUMBER, SECOND]
    assert [c["name"] for c in one["companies"]] == ["Acme", "Bolt"]
    assert [g["name"] for g in one["groups"]] == ["Friends"]
    assert (one["name"], one["type"], one["notes"]) == ("Ann", "VIP", "first\nsecond")
    assert one["address"] == "There"
    calls = await office.calls(client=ann["id"])
    assert [c["client_type"] for c in calls] == ["problem", "VIP"]
    assert await office.found(q="2345678") == ["Ann"]
    assert await office.found(q="there") == ["Ann"]

    status, gone = await office.ask("GET", f"/clients/{anna['id']}")
    assert (status, gone["error"]["detail"]) == (404, {"merged_into": ann["id"]})
    last = await office.add("Last", THIRD)
    await office.ask("POST", f"/clients/{last['id']}/merge", {"loser": ann["id"]})
    for loser in (ann, anna):
        _, gone = await office.ask("PATCH", f"/clients/{loser['id']}", {"name": "x"})
        assert gone["error"]["detail"] == {"merged_into": last["id"]}
    assert len(await office.calls(client=last["id"])) == 2
    await office.ask("DELETE", f"/clients/{last['id']}")
    _, gone = await office.ask("GET", f"/clients/{anna['id']}")
    assert "detail" not in gone["error"]


async def test_companies_merge_with_their_contacts(office: Office) -> None:
    acme, bolt = await office.add("Acme", kind="company"), await office.add("Bolt", kind="company")
    ann = await office.add("Ann")
    for company in (acme, bolt):
        await office.ask("PUT", f"/clients/{ann['id']}/companies/{company['id']}")
    _, one = await office.ask("POST", f"/clients/{acme['id']}/merge", {"loser": bolt["id"]})
    assert [c["name"] for c in one["contacts"]] == ["Ann"]
    assert one["contact_count"] == 1


async def test_what_does_not_fit_together_is_not_merged(office: Office) -> None:
    ann = await office.add("Ann", *(f"+3620100{i:04}" for i in range(60)))
    ben = await office.add("Ben", *(f"+3620200{i:04}" for i in range(60)))
    acme = await office.add("Acme", kind="company")
    for loser, status in ((ann["id"], 422), (acme["id"], 409), (ben["id"], 409), (10**9, 404)):
        path = f"/clients/{ann['id']}/merge"
        assert (await office.ask("POST", path, {"loser": loser}))[0] == status
    assert (await office.ask("GET", f"/clients/{ben['id']}"))[1] == ben


async def test_called_since_counts_only_calls_that_one_may_see(office: Office) -> None:
    await office.add("Ann", NUMBER)
    await office.add("Ben", SECOND)
    await office.store(office.call(NUMBER, direction=Direction.OUTBOUND), office.call(THIRD))
    assert await office.found(called_since="2026-01-01T00:00:00Z") == ["Ann"]
    assert await office.found(called_since="2026-12-01T00:00:00Z") == []
    service = ClientService(office.db)
    filters = ClientFilters(called_since=datetime(2026, 1, 1, tzinfo=UTC))
    for own, names in ((("101",), ["Ann"]), (("102",), []), ((), [])):
        page = await service.list_clients(CallScope(office.account_id, own), filters)
        assert [c.name for c in page.items] == names
