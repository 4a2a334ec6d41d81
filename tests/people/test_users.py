"""Users over the API: added, edited, blocked, with finer rights (R002-02 to R002-08)."""

import asyncio

from callctl.core.permissions import ALL_SCOPES, ROLE_SCOPES, Role
from tests.people.conftest import PASSWORD, Office

NEW = {"login": "anna", "name": "Anna", "role": "manager"}


async def test_a_user_is_added_listed_read_and_signs_in(office: Office) -> None:
    group = await office.group("Sales")
    more = {"email": "anna@example.org", "employee_number": "E-7", "extension": "701"}
    status, made = await office.ask("POST", "/users", NEW | more | {"group_id": group})
    assert status == 201
    user = made["user"]
    assert user | more == user
    assert (user["group"], user["active"], user["granted"]) == ("Sales", True, [])
    assert user["scopes"] == sorted(ROLE_SCOPES[Role.MANAGER])
    await office.sign_in("anna", made["password"])
    assert (await office.ask("GET", f"/users/{user['id']}"))[1] == user
    assert user in (await office.ask("GET", "/users"))[1]["items"]


async def test_a_given_password_is_not_told_again(office: Office) -> None:
    _, made = await office.ask("POST", "/users", NEW | {"password": PASSWORD})
    assert made["password"] is None
    await office.sign_in("anna")


async def test_pages_of_people_hold_each_once(office: Office) -> None:
    for name in "dacb":
        await office.ask("POST", "/users", NEW | {"login": name, "password": PASSWORD})
    seen, cursor = [], ""
    while cursor is not None:
        _, page = await office.ask("GET", f"/users?limit=2&cursor={cursor}")
        seen += [user["login"] for user in page["items"]]
        cursor = page["next"]
    assert seen == ["a", "admin", "b", "c", "d"]


async def test_people_are_found_by_role_group_state_and_text(office: Office) -> None:
    group = await office.group("Sales")
    await office.person("anna", "head", name="Kovács Anna", group_id=group)
    await office.person("bela", "manager")
    for query, logins in (
        ("role=head", ["anna"]),
        (f"group_id={group}", ["anna"]),
        ("active=false", []),
        ("text=KOV", ["anna"]),
        ("text=%25", []),
        ("text=bel", ["bela"]),
    ):
        _, page = await office.ask("GET", f"/users?{query}")
        assert [user["login"] for user in page["items"]] == logins, query


IMPOSSIBLE: list[tuple[dict[str, object], str]] = [
    ({"name": "a\u202eb"}, "body.name"),
    ({"name": "a\nb"}, "body.name"),
    ({"name": "\u200b"}, "body.name"),
    ({"name": "   "}, "body.name"),
    ({"name": "x" * 1000}, "body.name"),
    ({"login": "Anna"}, "body.login"),
    ({"login": "an na"}, "body.login"),
    ({"email": "not one"}, "body.email"),
    ({"extension": "7;1"}, "body.extension"),
    ({"password": "short"}, "body.password"),
    ({"role": "emperor"}, "body.role"),
    ({"group_id": 999999}, "body.group_id"),
    ({"granted": ["calls:read"]}, "body.granted"),
    ({"active": False}, "body.active"),
]


async def test_what_cannot_be_is_refused_by_its_field(office: Office) -> None:
    for change, field in IMPOSSIBLE:
        status, body = await office.ask("POST", "/users", NEW | {"password": PASSWORD} | change)
        assert (status, body["error"].get("field")) == (422, field), change
        assert body["error"]["code"] == "invalid_field"
    assert (await office.ask("GET", "/users?text=anna"))[1]["items"] == []


async def test_logins_employee_numbers_and_extensions_are_taken_once(office: Office) -> None:
    first = await office.person("anna", extension="701", employee_number="7")
    for login, change in (
        ("anna", {"login": "anna"}),
        ("bela", {"employee_number": "7"}),
        ("bela", {"extension": "701"}),
    ):
        body = NEW | {"password": PASSWORD, "login": login} | change
        status, answer = await office.ask("POST", "/users", body)
        field = f"body.{next(iter(change))}"
        assert (status, answer["error"]["code"]) == (409, "already_exists")
        assert answer["error"]["field"] == field
    # Who is blocked leaves the extension to the next, and cannot come back to it.
    assert (await office.ask("PATCH", first.path, {"active": False}))[0] == 200
    await office.person("bela", extension="701")
    status, answer = await office.ask("PATCH", first.path, {"active": True})
    assert (status, answer["error"]["field"]) == (409, "body.extension")


async def test_an_edit_changes_what_it_names_and_nothing_else(office: Office) -> None:
    anna = await office.person("anna", email="a@b", extension="701", name="Anna")
    _, before = await office.ask("GET", anna.path)
    status, after = await office.ask("PATCH", anna.path, {"name": "  Ánna ", "email": None})
    assert status == 200
    assert after["changed_at"] > before["changed_at"]
    different = {"name": "Ánna", "email": None, "changed_at": after["changed_at"]}
    assert after == before | different


async def test_finer_rights_are_the_role_plus_and_minus(office: Office) -> None:
    anna = await office.person("anna")
    status, _ = await office.ask("GET", "/users", who=anna)
    assert status == 403
    change = {"granted": ["users:read"], "withdrawn": ["calls:place"]}
    _, user = await office.ask("PATCH", anna.path, change)
    assert set(user["scopes"]) == ROLE_SCOPES[Role.MANAGER] - {"calls:place"} | {"users:read"}
    # At once, in the session that there is; and only of themselves.
    _, page = await office.ask("GET", "/users", who=anna)
    assert [u["login"] for u in page["items"]] == ["anna"]
    assert (await office.ask("GET", "/users/1", who=anna))[0] == 404
    # A new role starts without them.
    _, user = await office.ask("PATCH", anna.path, {"role": "head"})
    assert (user["granted"], user["withdrawn"]) == ([], [])


SENSELESS: list[tuple[str, dict[str, object], str]] = [
    ("administrator", {"withdrawn": ["calls:read"]}, "body.withdrawn"),
    ("manager", {"granted": ["users:write"]}, "body.granted"),
    ("group_leader", {"granted": ["tokens:write"]}, "body.granted"),
    ("manager", {"withdrawn": ["users:read"]}, "body.withdrawn"),
    ("manager", {"granted": ["audit:read"], "withdrawn": ["audit:read"]}, "body.withdrawn"),
    ("manager", {"granted": ["root"]}, "body.granted[0]"),
]


async def test_finer_rights_that_make_no_sense_are_refused(office: Office) -> None:
    for role, change, field in SENSELESS:
        somebody = await office.person(role=role)
        status, body = await office.ask("PATCH", somebody.path, change)
        assert (status, body["error"].get("field")) == (422, field), (role, change)


async def test_nobody_gives_away_or_touches_more_than_they_have(office: Office) -> None:
    helper = await office.person("helper", "head", granted=["users:write"])
    admin = await office.person("boss", "administrator")
    for method, path, body in (
        ("POST", "/users", NEW | {"role": "administrator"}),
        ("POST", "/invitations", {"role": "administrator"}),
        ("PATCH", helper.path, {"role": "administrator"}),
        ("PATCH", helper.path, {"granted": ["users:write", "tokens:write"]}),
        ("PATCH", admin.path, {"active": False}),
        ("POST", f"{admin.path}/reset-password", None),
        ("POST", f"{admin.path}/reset-second-factor", None),
    ):
        status, answer = await office.ask(method, path, body, who=helper)
        assert (status, answer["error"]["code"]) == (403, "forbidden"), (path, body)
    assert (await office.ask("POST", "/users", NEW, who=helper))[0] == 201


async def test_blocking_ends_sessions_tokens_and_invitations_at_once(office: Office) -> None:
    anna = await office.person("anna", "administrator")
    token = {"name": "t", "scopes": sorted(ALL_SCOPES)}
    _, issued = await office.ask("POST", "/tokens", token, who=anna)
    # A token of a token answers to the same person.
    _, second = await office.ask(
        "POST", "/tokens", {"name": "t2", "scopes": ["users:read"]}, who=issued["token"]
    )
    invited = [
        (await office.ask("POST", "/invitations", {"role": "head"}, who=who))[1]["secret"]
        for who in (anna, issued["token"])
    ]
    everything = (anna, issued["token"], second["token"])
    for who in everything:
        assert (await office.ask("GET", "/users", who=who))[0] == 200
    assert (await office.ask("PATCH", anna.path, {"active": False}))[1]["active"] is False
    for who in everything:
        assert (await office.ask("GET", "/users", who=who))[0] == 401
    for secret in invited:
        accept = {"secret": secret, "login": "x", "password": PASSWORD}
        assert (await office.ask("POST", "/invitations/accept", accept, who=None))[0] == 404
    status, _ = await office.ask(
        "POST", "/sessions", {"login": "anna", "password": PASSWORD}, who=None
    )
    assert status == 401
    # Coming back revives nothing.
    await office.ask("PATCH", anna.path, {"active": True})
    for who in everything:
        assert (await office.ask("GET", "/users", who=who))[0] == 401
    await office.sign_in("anna")


async def test_a_token_does_no_more_than_who_answers_for_it(office: Office) -> None:
    anna = await office.person("anna", "administrator")
    body = {"name": "t", "scopes": sorted(ALL_SCOPES)}
    _, issued = await office.ask("POST", "/tokens", body, who=anna)
    _, page = await office.ask("GET", "/tokens?limit=1")
    assert page["items"][0]["created_by"] == "anna"
    assert (await office.ask("GET", "/users", who=issued["token"]))[0] == 200
    await office.ask("PATCH", anna.path, {"role": "manager"})
    assert (await office.ask("GET", "/users", who=issued["token"]))[0] == 403


async def test_the_last_active_administrator_stays(office: Office) -> None:
    _, page = await office.ask("GET", "/users?role=administrator")
    (admin,) = page["items"]
    path = f"/users/{admin['id']}"
    for change in ({"active": False}, {"role": "head"}, {"role": "manager", "active": False}):
        status, body = await office.ask("PATCH", path, change)
        assert (status, body["error"]["code"]) == (409, "conflict")
    blocked = await office.person("old", "administrator")
    assert (await office.ask("PATCH", blocked.path, {"active": False}))[0] == 200
    assert (await office.ask("PATCH", path, {"active": False}))[0] == 409
    assert (await office.ask("PATCH", path, {"name": "Still here"}))[0] == 200


async def test_of_administrators_who_block_and_demote_each_other_at_once_one_is_left(
    office: Office,
) -> None:
    for _ in range(5):
        people = [await office.person(role="administrator") for _ in range(3)]
        await office.db.execute(
            "update users set role = 'head' where not id = any($1)", [p.id for p in people]
        )
        changes = [{"active": False}, {"role": "manager"}, {"active": False}]
        answers = await asyncio.gather(
            *(office.ask("PATCH", people[i].path, change) for i, change in enumerate(changes))
        )
        assert sorted(status for status, _ in answers) == [200, 200, 409]
        left = await office.db.fetchval(
            "select count(*) from users where role = 'administrator' and active"
        )
        assert left == 1


async def test_whoever_blocks_a_user_who_signs_in_at_that_moment_leaves_no_session(
    office: Office,
) -> None:
    anna = await office.person("anna")
    body = {"login": "anna", "password": PASSWORD}
    for _ in range(4):
        await office.ask("PATCH", anna.path, {"active": True})
        await asyncio.gather(
            *(office.ask("POST", "/sessions", body, who=None) for _ in range(2)),
            office.ask("PATCH", anna.path, {"active": False}),
        )
        office.seconds[0] += 3600
        assert await office.db.fetchval("select count(*) from sessions") == 0


async def test_a_reset_password_is_told_once_and_ends_the_sessions(office: Office) -> None:
    anna = await office.person("anna")
    status, made = await office.ask("POST", f"{anna.path}/reset-password")
    assert status == 200
    assert (await office.ask("GET", "/profile", who=anna))[0] == 401
    await office.sign_in("anna", made["password"])


async def test_another_accounts_people_are_not_there(office: Office) -> None:
    other = await office.db.fetchval(
        "insert into accounts (code, name, kind) values ('b', 'B', 'enterprise') returning id"
    )
    anna = await office.person("theirs", account=other)
    group = await office.db.fetchval(
        "insert into groups (account_id, name) values ($1, 'theirs') returning id", other
    )
    for method, path, body in (
        ("GET", anna.path, None),
        ("PATCH", anna.path, {"active": False}),
        ("POST", f"{anna.path}/reset-password", None),
        ("GET", f"/groups/{group}", None),
        ("PATCH", f"/groups/{group}", {"name": "ours"}),
        ("DELETE", f"/groups/{group}", None),
    ):
        assert (await office.ask(method, path, body))[0] == 404, path
    status, body = await office.ask("POST", "/users", NEW | {"group_id": group})
    assert (status, body["error"]["field"]) == (422, "body.group_id")
