"""Clients by the ids of numbers, as reports ask for them."""

from callctl.features.clients.names import NAMES, client_names

from .conftest import Office

NUMBER, SECOND, THIRD = "+36201234567", "+3612345678", "+36301111111"


async def ids_of(office: Office, *numbers: str) -> list[int]:
    found = dict(await office.db.fetch("select number, id from numbers"))
    return [found[number] for number in numbers]


async def test_numbers_have_the_names_of_their_clients_now(office: Office) -> None:
    ann = await office.add("Ann", NUMBER, SECOND)
    await office.store(office.call(THIRD))
    first, second, third = numbers = await ids_of(office, NUMBER, SECOND, THIRD)
    account = office.account_id
    assert await client_names(office.db, account, numbers) == {first: "Ann", second: "Ann"}
    await office.ask("PATCH", f"/clients/{ann['id']}", {"numbers": [{"number": NUMBER}]})
    await office.ask("POST", "/clients", {"name": "Ben", "numbers": [{"number": THIRD}]})
    assert await client_names(office.db, account, numbers) == {first: "Ann", third: "Ben"}
    assert await client_names(office.db, account, [second]) == {}
    assert await client_names(office.db, account, []) == {}


async def test_another_accounts_clients_have_no_name(office: Office) -> None:
    body = {"name": "Theirs", "numbers": [{"number": NUMBER}]}
    assert (await office.ask("POST", "/clients", body, office.other))[0] == 201
    assert await client_names(office.db, office.account_id, await ids_of(office, NUMBER)) == {}


async def test_names_are_looked_up_in_the_index(office: Office) -> None:
    """Of a table with other accounts' clients and one's own, as statistics know it."""
    await office.db.execute(
        "insert into numbers (number, grams) select '+4920' || n, '{}' "
        "from generate_series(10000, 19999) n"
    )
    client = await office.add("Ann")
    await office.db.execute(
        "insert into client_numbers (account_id, number_id, client_id, position)"
        " select $1, id, $2, 0 from numbers where number like '+4920%'",
        office.account_id, client["id"],
    )  # fmt: skip
    await office.db.execute("analyze client_numbers")
    numbers = [row[0] for row in await office.db.fetch("select id from numbers limit 50")]
    plan = await office.db.fetch(f"explain {NAMES}", office.account_id, numbers)
    assert "client_numbers_pkey" in str(plan), plan
