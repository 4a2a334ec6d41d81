"""The list of client types, client groups, and the account's settings."""

from .conftest import Office

DEFAULTS = [
    "potential",
    "already using our services",
    "problem",
    "very important",
    "individual",
    "organisation",
    "VIP",
]


async def types(office: Office, token: str | None = None) -> list[str]:
    _, page = await office.ask("GET", "/client-types", token=token)
    return [t["name"] + " (retired)" * t["retired"] for t in page["items"]]


async def test_every_account_begins_with_the_same_list(office: Office) -> None:
    assert await types(office) == await types(office, office.other) == DEFAULTS


async def test_types_are_added_renamed_and_put_into_another_order(office: Office) -> None:
    status, new = await office.ask("POST", "/client-types", {"name": " Reseller "})
    assert (status, new["name"]) == (201, "Reseller")
    ann = await office.add("Ann", type="Reseller")
    path = f"/client-types/{new['id']}"
    assert (await office.ask("PATCH", path, {"name": "Partner"}))[0] == 200
    assert (await office.ask("GET", f"/clients/{ann['id']}"))[1]["type"] == "Partner"
    _, page = await office.ask("GET", "/client-types")
    ids = [t["id"] for t in page["items"]]
    status, page = await office.ask("PUT", "/client-types", {"ids": ids[-1:] + ids[:-1]})
    assert (status, [t["name"] for t in page["items"]]) == (200, ["Partner", *DEFAULTS])
    assert await types(office, office.other) == DEFAULTS
    await office.register()
    await office.store(office.call("+36201234567"))
    assert await office.found(type="Partner") == ["+36201234567", "Ann"]


async def test_an_order_names_every_type_once(office: Office) -> None:
    _, page = await office.ask("GET", "/client-types")
    ids = [t["id"] for t in page["items"]]
    _, page = await office.ask("GET", "/client-types", token=office.other)
    for wrong in (ids[1:], [*ids, ids[0]], [page["items"][0]["id"], *ids[1:]], []):
        assert (await office.ask("PUT", "/client-types", {"ids": wrong}))[0] == 409
    assert await types(office) == DEFAULTS


async def test_a_retired_type_stays_with_who_has_it_and_goes_to_nobody_else(
    office: Office,
) -> None:
    ann = await office.add("Ann", "+36201234567", type="potential")
    first = (await office.ask("GET", "/client-types"))[1]["items"][0]
    path = f"/client-types/{first['id']}"
    assert (await office.ask("PATCH", path, {"retired": True}))[1]["retired"] is True
    assert (await types(office))[0] == "potential (retired)"
    assert (await office.ask("POST", "/clients", {"name": "B", "type": "potential"}))[0] == 422
    _, ann = await office.ask("PATCH", f"/clients/{ann['id']}", {"name": "A", "type": "potential"})
    assert (ann["name"], ann["type"]) == ("A", "potential")
    await office.register()
    await office.store(office.call("+36301111111"), office.call("+36201234567"))
    assert await office.found(type=DEFAULTS[1]) == ["+36301111111"]
    assert len(await office.calls(client_type="potential")) == 1
    await office.ask("PATCH", path, {"retired": False})
    await office.add("B", type="potential")


async def test_two_types_never_have_one_name(office: Office) -> None:
    assert (await office.ask("POST", "/client-types", {"name": "VIP"}))[0] == 409
    first = (await office.ask("GET", "/client-types"))[1]["items"][0]
    path = f"/client-types/{first['id']}"
    assert (await office.ask("PATCH", path, {"name": "VIP"}))[0] == 409
    assert (await office.ask("PATCH", path, {"name": "  "}))[0] == 422
    assert await types(office) == DEFAULTS


async def test_groups_are_made_renamed_filled_and_deleted(office: Office) -> None:
    ann, ben = await office.add("Ann"), await office.add("Ben")
    status, group = await office.ask("POST", "/client-groups", {"name": "Friends"})
    assert (status, group["members"]) == (201, 0)
    path = f"/client-groups/{group['id']}"
    for clients, members in (([ann["id"]], 1), ([ann["id"], ben["id"]], 2)):
        status, group = await office.ask("POST", f"{path}/members", {"clients": clients})
        assert (status, group["members"]) == (200, members)
    assert (await office.ask("PUT", path, {"name": "Best friends"}))[1]["name"] == "Best friends"
    _, ann = await office.ask("GET", f"/clients/{ann['id']}")
    assert [g["name"] for g in ann["groups"]] == ["Best friends"]
    assert (await office.ask("DELETE", f"{path}/members/{ben['id']}"))[0] == 204
    assert await office.found(group=group["id"]) == ["Ann"]
    assert (await office.ask("DELETE", path))[0] == 204
    assert (await office.ask("GET", path))[0] == 404
    assert await office.found() == ["Ann", "Ben"]


async def test_all_clients_named_go_into_a_group_or_none(office: Office) -> None:
    ann = await office.add("Ann")
    group = (await office.ask("POST", "/client-groups", {"name": "G"}))[1]
    path = f"/client-groups/{group['id']}/members"
    assert (await office.ask("POST", path, {"clients": [ann["id"], 10**9]}))[0] == 404
    assert (await office.ask("POST", path, {"clients": []}))[0] == 422
    assert await office.found(group=group["id"]) == []


async def test_group_names_are_lines_and_their_own(office: Office) -> None:
    for name, status in (("a\tb", 422), ("a;b", 422), (" ", 422), ("G", 201), ("G", 409)):
        assert (await office.ask("POST", "/client-groups", {"name": name}))[0] == status, name


async def test_groups_come_in_pages(office: Office) -> None:
    for name in ("c", "a", "b"):
        await office.ask("POST", "/client-groups", {"name": name})
    _, first = await office.ask("GET", "/client-groups?limit=2")
    _, second = await office.ask("GET", f"/client-groups?limit=2&cursor={first['next']}")
    assert [g["name"] for g in first["items"] + second["items"]] == ["c", "a", "b"]
    assert second["next"] is None


async def test_settings_are_off_until_they_are_switched_on(office: Office) -> None:
    off = {"register": False, "register_directions": ["inbound"]}
    assert await office.ask("GET", "/client-settings") == (200, off)
    both = {"register": True, "register_directions": ["inbound", "outbound"]}
    body = {"register": True, "register_directions": ["outbound", "inbound"]}
    assert await office.ask("PUT", "/client-settings", body) == (200, both)
    assert await office.ask("GET", "/client-settings", token=office.other) == (200, off)
    for wrong in ([], ["internal"], ["inbound"] * 3):
        body = {"register": True, "register_directions": wrong}
        assert (await office.ask("PUT", "/client-settings", body))[0] == 422
