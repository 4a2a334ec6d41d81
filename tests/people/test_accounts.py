"""The tree of accounts, seen from its nodes."""

from callctl.core.author import SYSTEM
from callctl.core.money.postings import BookKey, BookKind, EntryClass, Line, Posting, Source
from callctl.db.ledger import charge, post
from tests.people.conftest import PASSWORD, Office, Person

NEW = {"code": "acme", "name": "Acme", "kind": "reseller"}


async def make(office: Office, who: "Person | str" = "", **more: object) -> dict[str, object]:
    status, made = await office.ask("POST", "/accounts", NEW | more, who=who)
    assert status == 201, made
    return made  # type: ignore[no-any-return]


async def run_by(office: Office, made: dict[str, object], login: str) -> Person:
    """The first administrator of an account, by invitation."""
    accept = {"secret": made["secret"], "login": login, "password": PASSWORD}
    status, _ = await office.ask("POST", "/invitations/accept", accept, who=None)
    assert status == 201
    return Person(0, login, await office.sign_in(login))


async def codes(office: Office, who: "Person | str" = "") -> list[str]:
    _, page = await office.ask("GET", "/accounts", who=who)
    return [account["code"] for account in page["items"]]


async def test_a_tree_is_made_downwards_and_each_sees_what_is_below(office: Office) -> None:
    reseller = await make(office, administrator={"name": "Rita", "email": "rita@example.org"})
    assert office.accounts_changed == [1]
    rita = await run_by(office, reseller, "rita")
    _, profile = await office.ask("GET", "/profile", who=rita)
    assert (profile["role"], profile["account"], profile["name"]) == (
        "administrator", "acme", "Rita",
    )  # fmt: skip
    shop = await make(office, rita, code="shop", kind="enterprise", timezone="Europe/Budapest")
    sibling = await make(office, code="sibling", kind="enterprise")
    assert await codes(office) == ["acme", "main", "shop", "sibling"]
    assert await codes(office, rita) == ["acme", "shop"]

    own = reseller["account"]["id"]  # type: ignore[index]
    for made, status in ((shop, 200), (reseller, 200), (sibling, 404)):
        path = f"/accounts/{made['account']['id']}"  # type: ignore[index]
        assert (await office.ask("GET", path, who=rita))[0] == status
    assert (await office.ask("GET", f"/accounts/{own}", who=rita))[1]["parent_id"] is None
    assert (await office.ask("GET", "/accounts/1", who=rita))[0] == 404
    for path in ("/accounts/1", f"/accounts/{sibling['account']['id']}"):  # type: ignore[index]
        assert (await office.ask("PATCH", path, {"name": "x"}, who=rita))[0] == 404
        assert (await office.ask("POST", f"{path}/invitations", {}, who=rita))[0] == 404
    status, body = await office.ask("PATCH", f"/accounts/{own}", {"name": "x"}, who=rita)
    assert (status, body["error"]["code"]) == (409, "conflict")
    status, _ = await office.ask("POST", "/accounts", NEW | {"code": "y", "parent_id": 1}, who=rita)
    assert status == 404


async def test_an_enterprise_has_no_accounts_and_no_system(office: Office) -> None:
    made = await make(office, kind="enterprise")
    boss = await run_by(office, made, "boss")
    for method, path in (("GET", "/accounts"), ("POST", "/accounts")):
        assert (await office.ask(method, path, NEW, who=boss))[0] == 403
    _, profile = await office.ask("GET", "/profile", who=boss)
    assert "users:write" in profile["scopes"]
    assert not {"system:read", "accounts:read", "accounts:write"} & set(profile["scopes"])
    below = NEW | {"code": "z", "parent_id": made["account"]["id"]}  # type: ignore[index]
    status, body = await office.ask("POST", "/accounts", below)
    assert (status, body["error"]["field"]) == (422, "body.parent_id")


async def test_an_account_below_is_edited_and_invited_to_again(office: Office) -> None:
    made = await make(office)
    path = f"/accounts/{made['account']['id']}"  # type: ignore[index]
    change = {"name": "Acme 2", "timezone": "Asia/Seoul"}
    status, account = await office.ask("PATCH", path, change)
    assert (status, account) == (200, made["account"] | change)  # type: ignore[operator]
    assert (await office.ask("GET", path))[1] == account
    status, again = await office.ask("POST", f"{path}/invitations", {"name": "Rita"})
    assert status == 201
    await run_by(office, again, "rita")


async def test_an_account_has_its_parents_currency_until_it_chooses_or_has_money(
    office: Office,
) -> None:
    made = await make(office, currency="HUF")
    assert made["account"]["currency"] == "HUF"  # type: ignore[index]
    rita = await run_by(office, made, "rita")
    shop = (await make(office, rita, code="shop", kind="enterprise"))["account"]
    assert shop["currency"] == "HUF"  # type: ignore[index]
    path = f"/accounts/{shop['id']}"  # type: ignore[index]
    status, changed = await office.ask("PATCH", path, {"currency": "COIN"}, who=rita)
    assert (status, changed["currency"]) == (200, "COIN")
    async with office.db.transaction() as connection:
        await charge(
            connection, account_id=changed["id"], amount=1, kind="call", reference="call:1",
            author=SYSTEM, overdraw=True,
        )  # fmt: skip
    status, body = await office.ask("PATCH", path, {"currency": "EUR"}, who=rita)
    assert (status, body["error"]["field"]) == (409, "body.currency")
    assert (await office.ask("PATCH", path, {"currency": "COIN", "name": "S"}, who=rita))[0] == 200


async def test_an_operator_changes_its_own_currency_and_nothing_else_of_itself(
    office: Office,
) -> None:
    path = f"/accounts/{office.account}"
    status, changed = await office.ask("PATCH", path, {"currency": "HUF"})
    assert (status, changed["currency"]) == (200, "HUF")
    _, log = await office.ask("GET", f"/audit?subject=account:{office.account}")
    assert [entry["after"] for entry in log["items"]] == [{"currency": "HUF"}]
    for change in ({"name": "x"}, {"currency": "EUR", "name": "x"}, {"timezone": "Asia/Seoul"}):
        status, body = await office.ask("PATCH", path, change)
        assert (status, body["error"]["code"]) == (409, "conflict"), change
    status, body = await office.ask("PATCH", path, {"currency": "XXX"})
    assert (status, body["error"]["field"]) == (422, "body.currency")
    made = await make(office)
    rita = await run_by(office, made, "rita")
    own = f"/accounts/{made['account']['id']}"  # type: ignore[index]
    assert (await office.ask("PATCH", own, {"currency": "EUR"}, who=rita))[0] == 409
    operator = await office.db.fetchval("select id from accounts where parent_id is null")
    lines = (
        Line(BookKey(operator, BookKind.ISSUANCE), -1),
        Line(BookKey(operator), 1, EntryClass.IN, Source.MANUAL),
    )
    async with office.db.transaction() as connection:
        await post(connection, [Posting(operator, "HUF", "top_up", "cash", lines)], SYSTEM)
    status, body = await office.ask("PATCH", path, {"currency": "EUR"})
    assert (status, body["error"]["field"]) == (409, "body.currency")


async def test_what_cannot_be_is_refused_by_its_field(office: Office) -> None:
    cases: tuple[tuple[dict[str, object], int, str], ...] = (
        ({"code": "main"}, 409, "body.code"),
        ({"code": "A b"}, 422, "body.code"),
        ({"name": "a\u202eb"}, 422, "body.name"),
        ({"name": "x" * 1000}, 422, "body.name"),
        ({"kind": "operator"}, 422, "body.kind"),
        ({"timezone": "Mars/Base"}, 422, "body.timezone"),
        ({"timezone": "../../etc/passwd"}, 422, "body.timezone"),
        ({"timezone": "localtime"}, 422, "body.timezone"),
        ({"country": "hu"}, 422, "body.country"),
        ({"country": "ND"}, 422, "body.country"),
        ({"currency": "huf"}, 422, "body.currency"),
        ({"currency": "XXX"}, 422, "body.currency"),
        ({"colour": "red"}, 422, "body.colour"),
        ({"administrator": {"name": "\n"}}, 422, "body.administrator.name"),
    )
    for change, status, field in cases:
        found, body = await office.ask("POST", "/accounts", NEW | change)
        assert (found, body["error"].get("field")) == (status, field), change
    assert office.accounts_changed == [0]


async def test_pages_of_accounts_hold_each_once(office: Office) -> None:
    for code in ("c", "a", "b"):
        await make(office, code=code, kind="enterprise")
    _, first = await office.ask("GET", "/accounts?limit=3")
    _, rest = await office.ask("GET", f"/accounts?limit=3&cursor={first['next']}")
    assert [a["code"] for a in first["items"] + rest["items"]] == ["a", "b", "c", "main"]
    _, page = await office.ask("GET", "/accounts?kind=operator")
    assert [a["code"] for a in page["items"]] == ["main"]


async def test_accounts_are_found_by_any_part_of_code_or_name(office: Office) -> None:
    await make(office, code="percent", name="100% Ács")
    for q, found in (("ács", ["percent"]), ("ERCE", ["percent"]), ("%25", ["percent"]), ("_", [])):
        _, page = await office.ask("GET", f"/accounts?q={q}")
        assert [one["code"] for one in page["items"]] == found, q
