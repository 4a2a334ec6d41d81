"""Unknown callers become clients: once, and only outside parties (R001-11, R001-18)."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from callctl.core.calls.record import Attempt, Disposition
from callctl.core.outcomes import AttemptResult
from callctl.core.routing.model import Account, AccountRouting, Extension, Trunk, build_table
from callctl.core.routing.plan import Direction
from callctl.core.scope import CallScope
from callctl.db.pool import Database
from callctl.features.calls import store
from callctl.features.calls.service import CallService
from callctl.features.clients.registration import store_step
from tests.history.conftest import Desk, fixture_rows

from .conftest import Office, store_calls, waits_for_a_lock

NUMBER = "+36201234567"
RANG = Attempt("101", None, "PJSIP/101", 0, 1.0, AttemptResult.REJECTED, 21)


async def test_an_unknown_caller_becomes_a_client_with_the_first_type(office: Office) -> None:
    await office.register()
    (call,) = await office.store(office.call(NUMBER, name="Kovács Béla"))
    (client,) = (await office.ask("GET", "/clients"))[1]["items"]
    assert client["name"] == "Kovács Béla"
    assert client["numbers"] == [{"number": NUMBER, "label": ""}]
    assert (client["kind"], client["type"], client["registered"]) == ("person", "potential", True)
    (shown,) = await office.calls()
    assert (shown["client_id"], shown["client_name"]) == (client["id"], "Kovács Béla")
    assert (shown["client_type"], shown["client_type_now"]) == ("potential", "potential")
    (event,) = await office.db.fetch("select kind, subject, data from outbox")
    assert (event["kind"], event["subject"]) == ("client.registered", f"client:{client['id']}")
    assert event["data"] == {
        "client": client["id"],
        "name": "Kovács Béla",
        "number": NUMBER,
        "call": call,
    }


async def test_nobody_is_registered_where_it_is_not_switched_on(office: Office) -> None:
    await office.store(office.call(NUMBER))
    assert await office.found() == []
    await office.register()
    await office.ask("PUT", "/client-settings", {"register": False})
    await office.store(office.call(NUMBER))
    assert await office.found() == []


NO_CALLERS: list[dict[str, Any]] = [
    {"number": None},
    {"number": "anonymous"},
    {"number": "unknown"},
    {"number": "101"},
    {"number": "+999999999"},
    {"number": NUMBER, "direction": Direction.INTERNAL},
    {"number": NUMBER, "direction": Direction.OUTBOUND},
    {"number": NUMBER, "disposition": Disposition.REJECTED},
]


async def test_who_is_no_outside_caller_is_never_registered(office: Office) -> None:
    await office.register()
    await office.store(*(office.call(**call) for call in NO_CALLERS))
    assert await office.found() == []
    assert await office.db.fetchval("select count(*) from outbox") == 0


async def test_a_caller_who_was_declined_by_people_is_registered(office: Office) -> None:
    await office.register()
    await office.store(office.call(NUMBER, disposition=Disposition.REJECTED, attempts=[RANG]))
    assert await office.found() == [NUMBER]


async def test_directions_are_a_choice(office: Office) -> None:
    await office.register("outbound")
    await office.store(
        office.call(NUMBER),
        office.call("+36301111111", direction=Direction.OUTBOUND, name="We ourselves"),
    )
    assert await office.found() == ["+36301111111"]


async def test_both_directions_in_one_batch_make_one_client(office: Office) -> None:
    await office.register()
    calls = [office.call(NUMBER, direction=d) for d in (Direction.OUTBOUND, Direction.INBOUND)]
    await office.store(*calls, office.call(NUMBER))
    assert await office.found() == [NUMBER]
    await office.register("inbound", "outbound")
    await office.store(*(office.call("+36309999999", direction=d) for d in Direction))
    assert sorted(await office.found()) == [NUMBER, "+36309999999"]


async def test_a_known_number_is_left_alone(office: Office) -> None:
    client = await office.add("Known", NUMBER, type="VIP")
    await office.register()
    await office.store(office.call(NUMBER, name="Somebody else"))
    assert await office.found() == ["Known"]
    (shown,) = await office.calls()
    assert (shown["client_id"], shown["client_type"]) == (client["id"], "VIP")


async def test_two_writers_of_the_same_stranger_make_one_client(office: Office) -> None:
    await office.register()
    async with office.db.connection() as first, office.db.connection() as second:
        pid = await second.fetchval("select pg_backend_pid()")
        await office.store(office.call(NUMBER, direction=Direction.OUTBOUND))
        ours, theirs = first.transaction(), second.transaction()
        await ours.start()
        await theirs.start()
        await store_calls(first, [office.call(NUMBER), office.call("+36301111111")])
        waiting = asyncio.create_task(
            store_calls(second, [office.call("+36302222222"), office.call(NUMBER)])
        )
        await waits_for_a_lock(office.db, pid)
        await ours.commit()
        await waiting
        await theirs.commit()
    assert sorted(await office.found()) == [NUMBER, "+36301111111", "+36302222222"]
    assert await office.db.fetchval("select count(*) from outbox") == 3
    assert {c["client_type"] for c in await office.calls(direction="inbound")} == {"potential"}


async def test_a_registration_that_is_rolled_back_leaves_nothing(office: Office) -> None:
    await office.register()
    async with office.db.connection() as connection:
        batch = connection.transaction()
        await batch.start()
        await store_calls(connection, [office.call(NUMBER)])
        await batch.rollback()
    assert await office.found() == []
    await office.store(office.call(NUMBER))
    assert await office.found() == [NUMBER]


async def test_a_callers_hostile_name_is_cleaned(office: Office) -> None:
    await office.register()
    await office.store(
        office.call(NUMBER, name="A\x07\u202e B\r\n=1+1" + "x" * 500),
        office.call("+36301111111", name="\u200b \x01"),
    )
    names = await office.found()
    assert "+36301111111" in names
    (other,) = [n for n in names if n != "+36301111111"]
    assert other.startswith("A B =1+1x")
    assert len(other) == 200


async def test_other_accounts_have_clients_of_their_own(office: Office) -> None:
    await office.register()
    await office.store(office.call(NUMBER))
    assert (await office.ask("GET", "/clients", token=office.other))[1]["items"] == []
    status, client = await office.ask(
        "POST", "/clients", {"name": "Theirs", "numbers": [{"number": NUMBER}]}, office.other
    )
    assert status == 201, client
    (shown,) = await office.calls()
    assert shown["client_name"] == NUMBER


# From the journal


@pytest.fixture
async def desk(db: Database, tmp_path: Path) -> Desk:
    account_id = await db.fetchval(
        "insert into accounts (code, name, kind, country) values ('lab', 'L', 'operator', 'HU') "
        "returning id"
    )
    await db.execute(
        "insert into client_settings (account_id, register, register_directions) "
        "values ($1, true, '{inbound,outbound}')",
        account_id,
    )
    desk = Desk(db, account_id, tmp_path / "journal.csv")
    desk.steps = [store_step]
    extensions = tuple(Extension(n, endpoint=n) for n in ("201", "202", "203", "204"))
    account = Account(account_id, "lab", "Lab", country="HU")
    trunks = (Trunk("trunk", "127.0.0.9", endpoint="trunk"),)
    desk.table = build_table((AccountRouting(account, extensions, trunks),))
    return desk


async def test_the_journals_calls_make_clients_of_who_is_outside(desk: Desk) -> None:
    names = ("anonymous_without_number", "internal", "refused_by_rule")
    for name in names:
        desk.write(fixture_rows(name))
    await desk.read_all(len(names))
    assert await desk.db.fetch("select name from clients") == []
    for name in ("answered", "busy", "missed_by_all"):
        desk.write(fixture_rows(name))
    await desk.read_all(len(names) + 3)
    made = [r[0] for r in await desk.db.fetch("select name from clients order by id")]
    assert made == ["Alice Adams"]
    assert len(await desk.db.fetch("select 1 from call_clients")) == 3


async def test_a_call_that_is_rebuilt_keeps_its_type(desk: Desk) -> None:
    rows = fixture_rows("answered").splitlines(keepends=True)
    late = next(r for r in rows if b'"BRIDGE_ENTER"' in r)
    desk.write(b"".join(r for r in rows if r is not late))
    await desk.read_all(1)
    await desk.db.execute(
        "update clients set type_id = (select id from client_types where name = 'VIP' "
        "and account_id = $1)",
        desk.account_id,
    )
    desk.write(late)
    await desk.read_until_quiet()
    detail = await CallService(desk.db).get_call(
        CallScope(desk.account_id), await desk.db.fetchval("select id from calls")
    )
    assert detail.call.completeness == "repaired"
    assert (detail.call.client_type, detail.call.client_type_now) == ("potential", "VIP")


async def test_a_rebuilt_call_of_another_party_forgets_the_type(office: Office) -> None:
    await office.add("One", NUMBER, type="VIP")
    await office.add("Two", "+36301111111", type="problem")
    (id_,) = await office.store(office.call(NUMBER, call_id="lab-x.1"))
    for number, name, kept in (
        (NUMBER, "One", "VIP"),
        ("+36301111111", "Two", "problem"),
        ("+36302222222", None, None),
    ):
        built = office.call(number, call_id="lab-x.1", minute=5)
        async with office.db.transaction() as connection:
            await store.replace_call(connection, id_, built, [])
            await store_step(connection, [built.as_stored(id_, new=False)])
        (shown,) = await office.calls()
        assert (shown["client_name"], shown["client_type"]) == (name, kept)
        if kept:
            assert await office.calls(client_type=kept) == [shown]


async def test_a_call_that_takes_in_another_takes_its_type(office: Office) -> None:
    ann = await office.add("Ann", NUMBER, type="VIP")
    keep, loser = await office.store(
        office.call("101", direction=Direction.INTERNAL, call_id="lab-y.1"),
        office.call(NUMBER, call_id="lab-y.2"),
    )
    await office.ask("PATCH", f"/clients/{ann['id']}", {"type": "problem"})
    built = office.call(NUMBER, call_id="lab-y.1", minute=5)
    async with office.db.transaction() as connection:
        await store.replace_call(connection, keep, built, [loser])
        await store_step(connection, [built.as_stored(keep, new=False)])
    (shown,) = await office.calls()
    assert (shown["id"], shown["client_type"], shown["client_type_now"]) == (keep, "VIP", "problem")
    assert await office.calls(client_type="VIP") == [shown]
