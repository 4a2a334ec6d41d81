"""Invitations: a link that makes one user, once (R002-03)."""

import asyncio

from tests.people.conftest import PASSWORD, Office


def acceptance(invited: dict[str, str], login: str = "anna", **more: str) -> dict[str, str]:
    return {"secret": invited["secret"], "login": login, "password": PASSWORD, **more}


async def invite(office: Office, **more: object) -> dict[str, str]:
    status, invited = await office.ask("POST", "/invitations", {"role": "manager"} | more)
    assert status == 201, invited
    return invited  # type: ignore[no-any-return]


async def accept(office: Office, body: dict[str, str]) -> tuple[int, dict[str, object]]:
    return await office.ask("POST", "/invitations/accept", body, who=None)


async def test_an_invitation_makes_the_user_that_was_meant(office: Office) -> None:
    group = await office.group("Sales")
    fields = {
        "role": "head", "group_id": group, "name": "Kovács Anna", "email": "anna@example.org",
        "employee_number": "7", "extension": "701",
    }  # fmt: skip
    invited = await invite(office, **fields)
    assert invited["link"] == (
        f"http://calls.example.org/accept-invitation?secret={invited['secret']}"
    )
    status, made = await accept(office, acceptance(invited))
    assert (status, made) == (201, {"login": "anna", "name": "Kovács Anna", "role": "head"})
    await office.sign_in("anna")
    _, page = await office.ask("GET", "/users?text=anna")
    assert page["items"][0] | fields == page["items"][0]
    _, page = await office.ask("GET", "/invitations?state=accepted")
    assert page["items"][0]["user_id"] is not None
    assert invited["secret"] not in str(page)


async def test_it_works_once_also_for_many_at_the_same_moment(office: Office) -> None:
    invited = await invite(office)
    answers = await asyncio.gather(
        *(accept(office, acceptance(invited, f"anna{i}")) for i in range(5))
    )
    assert sorted(status for status, _ in answers) == [201, 404, 404, 404, 404]
    assert await office.db.fetchval("select count(*) from users where login like 'anna%'") == 1


async def test_a_login_that_is_taken_leaves_the_invitation_open(office: Office) -> None:
    invited = await invite(office)
    status, body = await accept(office, acceptance(invited, "admin"))
    assert (status, body["error"]["field"]) == (409, "body.login")  # type: ignore[index]
    assert (await accept(office, acceptance(invited)))[0] == 201


async def test_one_that_is_revoked_or_too_old_or_unknown_is_not_there(office: Office) -> None:
    revoked, old = await invite(office), await invite(office)
    path = f"/invitations/{revoked['invitation']['id']}"  # type: ignore[index]
    for _ in range(2):
        assert (await office.ask("DELETE", path))[0] == 204
    await office.db.execute(
        "update invitations set expires_at = now() where id = $1",
        old["invitation"]["id"],  # type: ignore[index]
    )
    for body in (acceptance(revoked), acceptance(old), acceptance({"secret": "x"})):
        assert (await accept(office, body))[0] == 404
    for state in ("revoked", "expired"):
        _, page = await office.ask("GET", f"/invitations?state={state}")
        assert len(page["items"]) == 1
    assert (await office.ask("GET", "/invitations?state=open"))[1]["items"] == []


async def test_one_that_was_accepted_cannot_be_revoked(office: Office) -> None:
    invited = await invite(office)
    await accept(office, acceptance(invited))
    path = f"/invitations/{invited['invitation']['id']}"  # type: ignore[index]
    assert (await office.ask("DELETE", path))[0] == 409


async def test_whoever_loses_the_right_to_invite_has_invited_nobody(office: Office) -> None:
    boss = await office.person("boss", "administrator")
    _, invited = await office.ask("POST", "/invitations", {"role": "manager"}, who=boss)
    await office.ask("PATCH", boss.path, {"role": "head"})
    assert (await accept(office, acceptance(invited)))[0] == 404


async def test_pages_and_bad_cursors(office: Office) -> None:
    ids = [(await invite(office))["invitation"]["id"] for _ in range(3)]  # type: ignore[index]
    _, first = await office.ask("GET", "/invitations?limit=2")
    _, rest = await office.ask("GET", f"/invitations?limit=2&cursor={first['next']}")
    assert [i["id"] for i in first["items"] + rest["items"]] == ids[::-1]
    for cursor in ("x", "-1", "9" * 30, "1;drop"):
        assert (await office.ask("GET", f"/invitations?cursor={cursor}"))[0] == 422


async def test_the_page_accepts_it_and_says_what_is_wrong(office: Office) -> None:
    invited = await invite(office)
    url = f"{office.url}/accept-invitation"
    async with office.client.get(url, params={"secret": invited["secret"]}) as response:
        assert invited["secret"] in await response.text()
    headers = {"Origin": office.url, "Accept": "text/html"}
    for form, status, words in (
        (acceptance(invited, "Anna"), 422, "Login: "),
        (acceptance(invited, "admin"), 409, "Login: this login is taken."),
        (acceptance(invited, name="\u202e"), 422, "Name: holds U+202E"),
        (acceptance({"secret": "<x>"}), 404, "No such invitation"),
    ):
        async with office.client.post(url, data=form, headers=headers) as response:
            text = await response.text()
            assert (response.status, words in text) == (status, True), text
            assert "<x>" not in text
    elsewhere = headers | {"Origin": "https://evil.example"}
    async with office.client.post(url, data=acceptance(invited), headers=elsewhere) as response:
        assert response.status == 403
    async with office.client.post(url, data=acceptance(invited), headers=headers) as response:
        assert response.url.path == "/sign-in"
    await office.sign_in("anna")
