"""Groups, and what their leaders see (R002-05, R002-09)."""

from tests.people.conftest import Office


async def test_a_group_is_made_edited_listed_and_deleted(office: Office) -> None:
    status, made = await office.ask("POST", "/groups", {"name": " Sales ", "description": "Us"})
    assert (status, made["name"], made["members"]) == (201, "Sales", 0)
    path = f"/groups/{made['id']}"
    _, changed = await office.ask("PATCH", path, {"description": ""})
    assert changed == made | {"description": ""}
    assert (await office.ask("GET", path))[1] == changed
    assert (await office.ask("DELETE", path))[0] == 204
    assert (await office.ask("GET", path))[0] == 404
    assert (await office.ask("DELETE", path))[0] == 404


async def test_a_name_is_taken_once_whatever_its_case(office: Office) -> None:
    await office.group("Sales")
    other = await office.group("Support")
    for method, path in (("POST", "/groups"), ("PATCH", f"/groups/{other}")):
        status, body = await office.ask(method, path, {"name": "SALES"})
        assert (status, body["error"]["field"]) == (409, "body.name")


async def test_a_name_that_cannot_be_one_is_refused(office: Office) -> None:
    for name in ("", " ", "a\u0000b", "a\u202eb", "\u2066x", "x" * 1000):
        status, body = await office.ask("POST", "/groups", {"name": name})
        assert (status, body["error"].get("field")) == (422, "body.name"), name


async def test_a_group_with_members_or_open_invitations_stays(office: Office) -> None:
    group = await office.group("Sales")
    anna = await office.person("anna", group_id=group)
    await office.ask("PATCH", anna.path, {"active": False})
    status, body = await office.ask("DELETE", f"/groups/{group}")
    assert (status, body["error"]["code"]) == (409, "conflict")
    await office.ask("PATCH", anna.path, {"group_id": None})
    _, invited = await office.ask("POST", "/invitations", {"role": "manager", "group_id": group})
    assert (await office.ask("DELETE", f"/groups/{group}"))[0] == 409
    await office.ask("DELETE", f"/invitations/{invited['invitation']['id']}")
    assert (await office.ask("DELETE", f"/groups/{group}"))[0] == 204


async def test_pages_of_groups_hold_each_once(office: Office) -> None:
    for name in ("b", "A", "c"):
        await office.group(name)
    _, first = await office.ask("GET", "/groups?limit=2")
    _, rest = await office.ask("GET", f"/groups?limit=2&cursor={first['next']}")
    assert [g["name"] for g in first["items"] + rest["items"]] == ["A", "b", "c"]
    assert rest["next"] is None


async def test_a_leader_sees_the_group_and_its_people_only(office: Office) -> None:
    sales, support = await office.group("Sales"), await office.group("Support")
    leader = await office.person("leader", "group_leader", group_id=sales, extension="700")
    await office.person("anna", group_id=sales, extension="701")
    bela = await office.person("bela", group_id=support, extension="702")
    _, page = await office.ask("GET", "/users", who=leader)
    assert [u["login"] for u in page["items"]] == ["anna", "leader"]
    assert (await office.ask("GET", bela.path, who=leader))[0] == 404
    _, groups = await office.ask("GET", "/groups", who=leader)
    assert [g["name"] for g in groups["items"]] == ["Sales"]
    assert (await office.ask("GET", f"/groups/{support}", who=leader))[0] == 404


async def test_whose_calls_are_seen_follows_role_group_and_extension(office: Office) -> None:
    sales, support = await office.group("Sales"), await office.group("Support")
    leader = await office.person("leader", "group_leader", group_id=sales, extension="700")
    anna = await office.person("anna", group_id=sales, extension="701")
    gone = await office.person("gone", group_id=sales, extension="709")
    bela = await office.person("bela", group_id=support)
    head = await office.person("head", "head")

    async def seen(person: object) -> list[str] | None:
        _, profile = await office.ask("GET", "/profile", who=person)  # type: ignore[arg-type]
        found: list[str] | None = profile["extensions"]
        return found

    assert await seen(leader) == ["700", "701", "709"]
    assert await seen(anna) == ["701"]
    assert await seen(bela) == []
    assert await seen(head) is None
    # Who is blocked leaves their calls to the group, until somebody else has the extension.
    await office.ask("PATCH", gone.path, {"active": False})
    assert await seen(leader) == ["700", "701", "709"]
    await office.ask("PATCH", bela.path, {"extension": "709"})
    assert await seen(leader) == ["700", "701"]
    assert await seen(bela) == ["709"]
    await office.ask("PATCH", leader.path, {"group_id": None})
    assert await seen(leader) == ["700"]
