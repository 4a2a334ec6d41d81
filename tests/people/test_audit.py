"""The log of changes: who, when, what, before, after; never a secret (R003-87)."""

import pytest

from callctl.core.author import Author
from callctl.db.audit import record_change
from callctl.db.pool import Database
from callctl.features.routing.service import RoutingService
from callctl.features.routing.store import RoutingStore
from tests.people.conftest import PASSWORD, Office


async def lines(office: Office, query: str = "", who: object = "") -> list[tuple[str, str]]:
    status, page = await office.ask("GET", f"/audit?{query}", who=who)  # type: ignore[arg-type]
    assert status == 200, page
    return [(line["author"], line["action"]) for line in page["items"]]


async def test_each_change_is_a_line_with_what_it_changed(office: Office) -> None:
    boss = await office.person("boss", "administrator")
    body = {"login": "anna", "name": "Anna", "role": "manager", "password": PASSWORD}
    _, made = await office.ask("POST", "/users", body, who=boss)
    path = f"/users/{made['user']['id']}"
    await office.ask("PATCH", path, {"name": "Anna K.", "extension": "701"}, who=boss)
    await office.ask("PATCH", path, {"name": "Anna K."}, who=boss)  # Changes nothing.
    await office.ask("PATCH", path, {"active": False}, who=boss)
    _, page = await office.ask("GET", f"/audit?subject=user:{made['user']['id']}")
    blocked, changed, created = page["items"]
    assert [line["action"] for line in page["items"]] == [
        "user.blocked", "user.changed", "user.created",
    ]  # fmt: skip
    assert (created["before"], created["after"]["login"]) == (None, "anna")
    assert changed["before"] == {"name": "Anna", "extension": None}
    assert changed["after"] == {"name": "Anna K.", "extension": "701"}
    assert (blocked["before"], blocked["after"]) == ({"active": True}, {"active": False})
    assert {line["author"] for line in page["items"]} == {"boss"}
    assert {line["author_id"] for line in page["items"]} == {boss.id}
    assert PASSWORD not in str(page)


async def test_everything_that_people_change_is_in_it(office: Office) -> None:
    boss = await office.person("boss", "administrator")
    group = (await office.ask("POST", "/groups", {"name": "g"}, who=boss))[1]["id"]
    await office.ask("PATCH", f"/groups/{group}", {"name": "h"}, who=boss)
    await office.ask("DELETE", f"/groups/{group}", who=boss)
    token = (
        await office.ask("POST", "/tokens", {"name": "t", "scopes": ["calls:read"]}, who=boss)
    )[1]
    for _ in range(2):
        await office.ask("DELETE", f"/tokens/{token['id']}", who=boss)
    invited = (await office.ask("POST", "/invitations", {"role": "head"}, who=boss))[1]
    accept = {"secret": invited["secret"], "login": "anna", "password": PASSWORD}
    await office.ask("POST", "/invitations/accept", accept, who=None)
    again = (await office.ask("POST", "/invitations", {"role": "head"}, who=boss))[1]
    await office.ask("DELETE", f"/invitations/{again['invitation']['id']}", who=boss)
    account = {"code": "a", "name": "A", "kind": "reseller"}
    made = (await office.ask("POST", "/accounts", account, who=boss))[1]
    await office.ask("PATCH", f"/accounts/{made['account']['id']}", {"name": "B"}, who=boss)
    await office.ask("PATCH", "/profile", {"name": "The boss"}, who=boss)
    found = await lines(office)
    assert [action for _, action in found[::-1]] == [
        "group.created", "group.changed", "group.deleted", "token.issued", "token.revoked",
        "invitation.created", "invitation.accepted", "invitation.created", "invitation.revoked",
        "account.created", "account.changed", "user.changed",
    ]  # fmt: skip
    assert {author for author, _ in found} == {"boss", "anna"}
    text = str(await office.ask("GET", "/audit"))
    assert not any(s in text for s in (token["token"], invited["secret"], made["secret"], PASSWORD))


async def test_it_is_searched_by_person_action_subject_and_time(office: Office) -> None:
    anna = await office.person("anna", "administrator")
    await office.ask("POST", "/groups", {"name": "a"}, who=anna)
    await office.ask("POST", "/groups", {"name": "b"})
    await office.ask("PATCH", "/profile", {"name": "x"}, who=anna)
    machine = "token:first token"
    assert await lines(office, "author=anna&action=group") == [("anna", "group.created")]
    assert await lines(office, "action=group.created") == [
        (machine, "group.created"), ("anna", "group.created"),
    ]  # fmt: skip
    assert await lines(office, "action=gro") == []
    assert await lines(office, "author=nobody") == []
    assert len(await lines(office, f"subject=user:{anna.id}")) == 1
    _, page = await office.ask("GET", "/audit")
    times = [line["at"].replace("+", "%2B") for line in page["items"]]
    # Half open: what happened at `since` belongs to it, at `until` does not.
    assert len(await lines(office, f"since={times[1]}")) == 2
    assert len(await lines(office, f"until={times[1]}")) == 1
    assert len(await lines(office, f"since={times[2]}&until={times[0]}")) == 2


async def test_pages_hold_each_line_once(office: Office) -> None:
    for name in "abcde":
        await office.group(name)
    seen, cursor = [], ""
    while cursor is not None:
        _, page = await office.ask("GET", f"/audit?limit=2&cursor={cursor}")
        seen += [line["after"]["name"] for line in page["items"]]
        cursor = page["next"]
    assert seen == list("edcba")


async def test_reversed_periods_and_hostile_cursors_are_refused(office: Office) -> None:
    for query, field in (
        ("since=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z", "query.until"),
        ("since=yesterday", "query.since"),
        ("cursor=x", "query.cursor"),
        ("cursor=1.", "query.cursor"),
        ("cursor=999999999999999999.1", "query.cursor"),
        ("cursor=1.1;drop", "query.cursor"),
        ("cursor=%C2%B2.1", "query.cursor"),
        ("limit=0", "query.limit"),
        ("colour=red", "query.colour"),
    ):
        status, body = await office.ask("GET", f"/audit?{query}")
        assert (status, body["error"].get("field")) == (422, field), query


async def test_a_leader_sees_what_the_group_changed_and_no_more(office: Office) -> None:
    group = await office.group("Sales")
    leader = await office.person("leader", "group_leader", group_id=group)
    anna = await office.person("anna", group_id=group)
    bela = await office.person("bela", granted=["audit:read"])
    for person in (anna, bela, leader):
        await office.ask("PATCH", "/profile", {"name": "x"}, who=person)
    assert [author for author, _ in await lines(office, who=leader)] == ["leader", "anna"]
    assert [author for author, _ in await lines(office, who=bela)] == ["bela"]
    assert len(await lines(office)) == 4


async def test_what_did_not_happen_is_not_in_it(office: Office) -> None:
    await office.group("Sales")
    await office.ask("POST", "/groups", {"name": "sales"})
    (admin,) = (await office.ask("GET", "/users"))[1]["items"]
    await office.ask("PATCH", f"/users/{admin['id']}", {"active": False})
    assert len(await lines(office)) == 1


async def test_an_apply_of_the_routing_is_in_it_without_passwords(
    office: Office, db: Database
) -> None:
    routing = RoutingService(RoutingStore(db))
    await routing.load()
    text = (
        "account: {code: main, name: X, country: HU, timezone: UTC}\n"
        "extensions: [{number: 101, secret: hush-hush-hush-1}]\n"
    )
    await routing.apply(office.account, text, Author("anna"))
    _, page = await office.ask("GET", "/audit?action=routing")
    (line,) = page["items"]
    assert (line["author"], line["action"]) == ("anna", "routing.changed")
    assert line["after"]["revision"] > line["before"]["revision"]
    assert "extensions" in [change["kind"] for change in line["after"]["changes"]]
    assert "hush" not in str(page)
    # A new account can have a routing at once.
    account = await db.fetchval(
        "insert into accounts (parent_id, code, name, kind) values ($1, 'b', 'B', 'enterprise')"
        " returning id",
        office.account,
    )
    await routing.accounts_changed()
    assert routing.export(account).account.code == "b"


async def test_a_secret_is_refused_by_its_name(office: Office) -> None:
    async with office.db.transaction() as connection:
        with pytest.raises(ValueError, match="password_hash does not belong"):
            await record_change(
                connection, office.account, Author("x"), "user.changed", "user:1", None,
                {"password_hash": "x"},
            )  # fmt: skip


async def test_a_change_that_nobody_declared_cannot_be_written(office: Office) -> None:
    async with office.db.transaction() as connection:
        with pytest.raises(ValueError, match=r"what user\.praised is"):
            await record_change(connection, office.account, Author("x"), "user.praised", "user:1")
