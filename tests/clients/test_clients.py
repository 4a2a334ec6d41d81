"""Clients over HTTP: their fields, numbers, companies, and becoming one or another."""

import asyncio
from typing import Any

from .conftest import Office, waits_for_a_lock

NUMBER, SECOND, THIRD = "+36201234567", "+3612345678", "+36301111111"


async def test_a_client_is_what_was_sent_with_numbers_in_e164(office: Office) -> None:
    owner = await office.db.fetchval("select id from users")
    client = await office.add(
        "  Kovács Béla ",
        type="very important",
        service_level="gold",
        address="Fő utca 1.\r\n1011 Budapest",
        email="bela@example.com",
        owner_id=owner,
        notes="Calls on Mondays.",
        numbers=[
            {"number": "06 20 123 4567", "label": "mobile"},
            {"number": "(1) 234-5678", "label": "office"},
        ],
    )
    assert client["name"] == "Kovács Béla"
    assert client["address"] == "Fő utca 1.\n1011 Budapest"
    assert client["numbers"] == [
        {"number": NUMBER, "label": "mobile"},
        {"number": SECOND, "label": "office"},
    ]
    assert (client["owner_name"], client["type"], client["registered"]) == (
        "Administrator",
        "very important",
        False,
    )
    assert await office.ask("GET", f"/clients/{client['id']}") == (200, client)


async def test_a_change_touches_what_it_names(office: Office) -> None:
    client = await office.add("Old", NUMBER, SECOND, type="VIP", notes="kept")
    path = f"/clients/{client['id']}"
    numbers = [{"number": SECOND, "label": "first now"}, {"number": THIRD}]
    status, new = await office.ask("PATCH", path, {"name": "New", "numbers": numbers})
    assert status == 200
    assert (new["name"], new["type"], new["notes"]) == ("New", "VIP", "kept")
    assert [n["number"] for n in new["numbers"]] == [SECOND, THIRD]
    assert new["numbers"][0]["label"] == "first now"
    assert await office.found(q="old") == []
    assert await office.found(q=NUMBER) == []
    assert await office.found(q=THIRD) == ["New"]
    assert (await office.ask("PATCH", path, {"type": None}))[1]["type"] is None
    assert (await office.add("Free again", NUMBER))["numbers"]


async def test_a_number_of_another_client_is_refused_and_says_whose_it_is(office: Office) -> None:
    client = await office.add("First", NUMBER)
    body: dict[str, Any] = {"name": "B", "numbers": [{"number": SECOND}, {"number": NUMBER}]}
    status, refused = await office.ask("POST", "/clients", body)
    assert (status, refused["error"]["code"]) == (409, "conflict")
    assert refused["error"]["detail"] == {
        "number": NUMBER,
        "client_id": client["id"],
        "client_name": "First",
    }
    assert await office.found() == ["First"]
    other = await office.add("Second", SECOND)
    path = f"/clients/{other['id']}"
    assert (await office.ask("PATCH", path, {"numbers": [{"number": NUMBER}]}))[0] == 409
    assert (await office.ask("GET", path))[1] == other


async def test_of_two_writers_of_one_number_the_second_is_refused(office: Office) -> None:
    async with office.db.connection() as connection:
        first = connection.transaction()
        await first.start()
        await connection.execute(
            "with n as (insert into numbers (number, grams) values ($2, '{}') returning id), "
            "c as (insert into clients (account_id, kind, name, sort_key, search) "
            "values ($1, 'person', 'Quick', 'quick', 'quick') returning id) "
            "insert into client_numbers select $1, n.id, c.id, '', 0 from n, c",
            office.account_id,
            NUMBER,
        )
        body = {"name": "Slow", "numbers": [{"number": NUMBER}]}
        slow = asyncio.create_task(office.ask("POST", "/clients", body))
        async with asyncio.timeout(20):
            waiting = "select pid from pg_stat_activity where wait_event_type = 'Lock'"
            while (pid := await office.db.fetchval(waiting)) is None:
                await asyncio.sleep(0.01)
        await waits_for_a_lock(office.db, pid)
        await first.commit()
    status, refused = await slow
    assert (status, refused["error"]["detail"]["client_name"]) == (409, "Quick")
    assert await office.found() == ["Quick"]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "body.name"),
    ({"name": "   "}, "body.name"),
    ({"name": "a\nb"}, "body.name"),
    ({"name": "a\n"}, "body.name"),
    ({"name": "a\u202eb"}, "body.name"),
    ({"name": "a\u0085"}, "body.name"),
    ({"name": "x" * 201}, "body.name"),
    ({"name": "A", "type": "no such"}, "body.type"),
    ({"name": "A", "owner_id": 999999}, "body.owner_id"),
    ({"name": "A", "kind": "robot"}, "body.kind"),
    ({"name": "A", "email": "nobody"}, "body.email"),
    ({"name": "A", "numbers": [{"number": "112"}]}, "body.numbers[0].number"),
    ({"name": "A", "numbers": [{"number": "anonymous"}]}, "body.numbers[0].number"),
    (
        {"name": "A", "numbers": [{"number": NUMBER}, {"number": "06201234567"}]},
        "body.numbers[1].number",
    ),
    ({"name": "A", "numbers": [{"number": NUMBER, "label": "a;b"}]}, "body.numbers[0].label"),
    ({"name": "A", "numbers": [{"number": NUMBER}] * 1000}, "body.numbers"),
    ({"name": "A", "colour": "red"}, "body.colour"),
]


async def test_bad_fields_are_refused_by_name(office: Office) -> None:
    for body, field in BAD:
        status, refused = await office.ask("POST", "/clients", body)
        assert (status, refused["error"].get("field")) == (422, field), body
    assert await office.found() == []


async def test_people_and_companies_are_many_to_many(office: Office) -> None:
    ann, ben = await office.add("Ann"), await office.add("Ben")
    acme, bolt = await office.add("Acme", kind="company"), await office.add("Bolt", kind="company")
    for person, company in ((ann, acme), (ann, bolt), (ben, acme), (ben, acme)):
        path = f"/clients/{person['id']}/companies/{company['id']}"
        assert (await office.ask("PUT", path))[0] == 200
    _, ann = await office.ask("GET", f"/clients/{ann['id']}")
    assert [c["name"] for c in ann["companies"]] == ["Acme", "Bolt"]
    _, page = await office.ask("GET", "/companies")
    assert [(c["name"], c["contact_count"]) for c in page["items"]] == [("Acme", 2), ("Bolt", 1)]
    assert [c["name"] for c in page["items"][0]["contacts"]] == ["Ann", "Ben"]
    assert await office.found(company=acme["id"]) == ["Ann", "Ben"]
    assert (await office.ask("DELETE", f"/clients/{ann['id']}/companies/{acme['id']}"))[0] == 204
    assert await office.found(company=acme["id"]) == ["Ben"]


async def test_companies_are_never_in_one_another(office: Office) -> None:
    acme, bolt = await office.add("Acme", kind="company"), await office.add("Bolt", kind="company")
    ann = await office.add("Ann")
    for one, other in ((acme, bolt), (acme, acme), (acme, ann), (ann, ann)):
        path = f"/clients/{one['id']}/companies/{other['id']}"
        assert (await office.ask("PUT", path))[0] == 409


async def test_a_person_becomes_a_company_and_back_unless_linked(office: Office) -> None:
    ann, acme = await office.add("Ann", NUMBER), await office.add("Acme", kind="company")
    await office.ask("PUT", f"/clients/{ann['id']}/companies/{acme['id']}")
    for client, kind in ((ann, "company"), (acme, "person")):
        status, refused = await office.ask(
            "POST", f"/clients/{client['id']}/convert", {"kind": kind}
        )
        assert (status, refused["error"]["code"]) == (409, "conflict")
    await office.ask("DELETE", f"/clients/{ann['id']}/companies/{acme['id']}")
    for kind in ("company", "company", "person"):
        path = f"/clients/{ann['id']}/convert"
        status, new = await office.ask("POST", path, {"kind": kind})
        assert (status, new["kind"], new["numbers"]) == (200, kind, ann["numbers"])


async def test_a_copy_has_all_but_the_numbers(office: Office) -> None:
    ann = await office.add("Ann", NUMBER, type="VIP", address="Here", notes="n")
    acme = await office.add("Acme", kind="company")
    group = (await office.ask("POST", "/client-groups", {"name": "Friends"}))[1]
    await office.ask("POST", f"/client-groups/{group['id']}/members", {"clients": [ann["id"]]})
    await office.ask("PUT", f"/clients/{ann['id']}/companies/{acme['id']}")
    status, copy = await office.ask("POST", f"/clients/{ann['id']}/copy", {"name": "Ann 2"})
    assert status == 201
    kept = ("kind", "type", "address", "notes")
    assert [copy[k] for k in kept] == [ann[k] for k in kept]
    assert (copy["name"], copy["numbers"]) == ("Ann 2", [])
    assert [c["name"] for c in copy["companies"]] == ["Acme"]
    assert [g["name"] for g in copy["groups"]] == ["Friends"]


async def test_a_deleted_clients_numbers_are_unknown_again(office: Office) -> None:
    ann = await office.add("Ann", NUMBER, type="VIP")
    await office.store(office.call(NUMBER))
    assert (await office.ask("DELETE", f"/clients/{ann['id']}"))[0] == 204
    status, gone = await office.ask("GET", f"/clients/{ann['id']}")
    assert (status, "detail" in gone["error"]) == (404, False)
    (call,) = await office.calls()
    assert (call["client_id"], call["client_type"], call["client_type_now"]) == (None, "VIP", None)
    assert (await office.add("Ben", NUMBER))["numbers"]


async def test_what_is_of_another_account_does_not_exist(office: Office) -> None:
    ann, acme = await office.add("Ann"), await office.add("Acme", kind="company")
    group = (await office.ask("POST", "/client-groups", {"name": "Friends"}))[1]
    theirs = (await office.ask("POST", "/clients", {"name": "T"}, office.other))[1]
    types = (await office.ask("GET", "/client-types"))[1]["items"]
    one = f"/clients/{ann['id']}"
    asked: list[tuple[str, str, Any]] = [
        ("GET", one, None),
        ("PATCH", one, {"name": "x"}),
        ("DELETE", one, None),
        ("POST", f"{one}/convert", {"kind": "company"}),
        ("POST", f"{one}/copy", {}),
        ("POST", f"{one}/merge", {"loser": acme["id"]}),
        ("POST", f"/clients/{theirs['id']}/merge", {"loser": ann["id"]}),
        ("PUT", f"/clients/{theirs['id']}/companies/{acme['id']}", None),
        ("DELETE", f"{one}/companies/{acme['id']}", None),
        ("GET", f"/client-groups/{group['id']}", None),
        ("PUT", f"/client-groups/{group['id']}", {"name": "x"}),
        ("DELETE", f"/client-groups/{group['id']}", None),
        ("POST", f"/client-groups/{group['id']}/members", {"clients": [theirs["id"]]}),
        ("DELETE", f"/client-groups/{group['id']}/members/{ann['id']}", None),
        ("PATCH", f"/client-types/{types[0]['id']}", {"name": "x"}),
    ]
    for method, path, body in asked:
        status, _ = await office.ask(method, path, body, office.other)
        assert status == 404, (method, path)
    body = {"clients": [theirs["id"]]}
    assert (await office.ask("POST", f"/client-groups/{group['id']}/members", body))[0] == 404
    owner = await office.db.fetchval("select id from users")
    refused = await office.ask("POST", "/clients", {"name": "x", "owner_id": owner}, office.other)
    assert refused[0] == 422
    assert await office.found() == ["Acme", "Ann"]


async def test_each_right_allows_its_own(office: Office) -> None:
    ann = await office.add("Ann")
    one = f"/clients/{ann['id']}"
    for scope, method, path, body in (
        ("clients:read", "PATCH", one, {"name": "x"}),
        ("clients:write", "DELETE", one, None),
        ("clients:write", "GET", one, None),
        ("calls:read", "GET", "/clients", None),
        ("clients:read", "POST", "/clients.csv", None),
        ("clients:write", "GET", "/clients.csv", None),
    ):
        token = await office.access.issue_token(f"{scope} {path}", [scope])
        assert (await office.ask(method, path, body, token))[0] == 403, (scope, method, path)
