"""What people do to themselves: name, password, sessions (R003-31)."""

from callctl.features.originate.store import OrderStore
from tests.people.conftest import PASSWORD, Office, Person

NEW_PASSWORD = "another horse entirely"


async def test_a_profile_says_who_one_is(office: Office) -> None:
    group = await office.group("Sales")
    anna = await office.person("anna", extension="701", group_id=group)
    status, profile = await office.ask("GET", "/profile", who=anna)
    assert status == 200
    assert profile["login"] == "anna"
    assert (profile["group"], profile["extensions"]) == ("Sales", ["701"])
    assert (profile["account"], profile["second_factor"]) == ("main", False)


async def test_ones_own_name_is_changed_and_nothing_else(office: Office) -> None:
    anna = await office.person("anna")
    status, profile = await office.ask("PATCH", "/profile", {"name": " Anna K. "}, who=anna)
    assert (status, profile["name"]) == (200, "Anna K.")
    for body in ({"name": "a\u202eb"}, {"name": ""}, {"name": "x", "role": "administrator"}):
        assert (await office.ask("PATCH", "/profile", body, who=anna))[0] == 422


async def test_a_phone_is_one_persons_until_they_sign_out(office: Office) -> None:
    anna, bert = await office.person("anna", extension="701"), await office.person("bert")
    path = "/profile/phone"
    status, profile = await office.ask("PUT", path, {"extension": "705"}, who=anna)
    assert (status, profile["phone"], profile["extensions"]) == (200, "705", ["701"])
    # Calls that she places ring there.
    orders = OrderStore(office.db)
    assert await orders.own_extension(office.account, anna.id) == "705"
    for extension, expected in (("705", 409), ("701", 409), ("799", 422)):
        status, _ = await office.ask("PUT", path, {"extension": extension}, who=bert)
        assert status == expected, extension
        body = {"login": "bert", "password": PASSWORD, "extension": extension}
        assert (await office.ask("POST", "/sessions", body, who=None))[0] == expected
    assert (
        await office.db.fetchval("select count(*) from sessions where user_id = $1", bert.id) == 1
    )
    assert (await office.ask("PUT", path, {"extension": "706"}, who=anna))[0] == 200
    assert (await office.ask("PUT", path, {"extension": "705"}, who=bert))[0] == 200
    assert (await office.ask("PUT", path, {"extension": None}, who=anna))[0] == 200
    assert await orders.own_extension(office.account, anna.id) == "701"

    body = {"login": "anna", "password": PASSWORD, "extension": "706"}
    status, _, response = await office.ask_whole("POST", "/sessions", body, who=None)
    assert status == 201
    again = Person(anna.id, "anna", response.headers["Set-Cookie"].split(";")[0])
    assert (await office.ask("GET", "/profile", who=anna))[1]["phone"] == "706"
    assert (await office.ask("PUT", path, {"extension": "706"}, who=bert))[0] == 409
    assert (await office.ask("DELETE", "/sessions", who=again))[0] == 204
    assert (await office.ask("PUT", path, {"extension": "706"}, who=bert))[0] == 200


async def test_a_session_that_has_expired_keeps_no_phone(office: Office) -> None:
    anna, bert = await office.person("anna"), await office.person("bert")
    assert (await office.ask("PUT", "/profile/phone", {"extension": "705"}, who=anna))[0] == 200
    await office.db.execute(
        "update sessions set expires_at = now() - interval '1 s' where user_id = $1", anna.id
    )
    status, profile = await office.ask("PUT", "/profile/phone", {"extension": "705"}, who=bert)
    assert (status, profile["phone"]) == (200, "705")


async def test_a_new_password_ends_the_other_sessions_and_renews_this_one(office: Office) -> None:
    anna = await office.person("anna")
    elsewhere = Person(anna.id, "anna", await office.sign_in("anna"))
    path = "/profile/password"
    for body, field in (
        ({"current": "wrong", "new": NEW_PASSWORD}, "body.current"),
        ({"current": PASSWORD, "new": PASSWORD}, "body.new"),
        ({"current": PASSWORD, "new": "short"}, "body.new"),
    ):
        status, answer = await office.ask("POST", path, body, who=anna)
        assert (status, answer["error"]["field"]) == (422, field)
    status, _, response = await office.ask_whole(
        "POST", path, {"current": PASSWORD, "new": NEW_PASSWORD}, who=anna
    )
    assert status == 204
    renewed = Person(anna.id, "anna", response.headers["Set-Cookie"].split(";")[0])
    assert (await office.ask("GET", "/profile", who=renewed))[0] == 200
    for who in (anna, elsewhere):
        assert (await office.ask("GET", "/profile", who=who))[0] == 401
    await office.sign_in("anna", NEW_PASSWORD)


async def test_guessing_the_password_in_a_session_is_slowed_down(office: Office) -> None:
    anna = await office.person("anna")
    body = {"current": "wrong", "new": NEW_PASSWORD}
    statuses = [
        (await office.ask("POST", "/profile/password", body, who=anna))[0] for _ in range(6)
    ]
    assert statuses == [422] * 5 + [429]


async def test_signing_in_again_ends_the_session_that_was_brought_along(office: Office) -> None:
    anna = await office.person("anna")
    body = {"login": "anna", "password": PASSWORD}
    status, _, response = await office.ask_whole("POST", "/sessions", body, who=anna)
    assert status == 201
    assert response.headers["Set-Cookie"].split(";")[0] != anna.cookie
    assert (await office.ask("GET", "/profile", who=anna))[0] == 401


async def test_ones_own_sessions_are_listed_and_ended(office: Office) -> None:
    anna, bela = await office.person("anna"), await office.person("bela")
    office.client.headers["User-Agent"] = "an old phone\u00ff"
    elsewhere = Person(anna.id, "anna", await office.sign_in("anna"))
    _, listed = await office.ask("GET", "/sessions", who=anna)
    new, old = listed["items"]
    assert (old["current"], new["current"]) == (True, False)
    assert new["user_agent"].startswith("an old phone")
    assert new["address"] == "127.0.0.1"
    assert (await office.ask("DELETE", f"/sessions/{new['id']}", who=bela))[0] == 404
    assert (await office.ask("DELETE", f"/sessions/{new['id']}", who=anna))[0] == 204
    assert (await office.ask("GET", "/profile", who=elsewhere))[0] == 401
    assert (await office.ask("GET", "/profile", who=anna))[0] == 200


async def test_a_token_has_no_profile(office: Office) -> None:
    for method, path, body in (
        ("GET", "/profile", None),
        ("PATCH", "/profile", {"name": "x"}),
        ("GET", "/sessions", None),
        ("POST", "/profile/password", {"current": "x", "new": NEW_PASSWORD}),
        ("POST", "/profile/second-factor", {"password": "x"}),
        ("POST", "/profile/second-factor/confirm", {"code": "x"}),
        ("POST", "/profile/second-factor/disable", {"password": "x", "code": "x"}),
    ):
        assert (await office.ask(method, path, body))[0] == 404, path
