"""Tokens, sessions, scopes, and requests that other sites make."""

import pytest

from callctl.http.auth import Origin
from tests.http.conftest import Api, Serve

ECHO = "/api/v1/echo/1"


async def sign_in(api: Api, password: str | None = None, **headers: str) -> tuple[int, str]:
    status, _, response = await api.ask(
        "POST",
        "/api/v1/sessions",
        token=None,
        json={"login": "admin", "password": password or api.bootstrap.password},
        headers=headers,
    )
    return status, response.headers.get("Set-Cookie", "")


def own(api: Api) -> str:
    return f"http://127.0.0.1:{api.port}"


async def test_a_session_reads_and_writes_from_its_own_pages(api: Api) -> None:
    status, cookie = await sign_in(api)
    assert status == 201
    headers = {"Cookie": cookie.split(";")[0]}
    status, body, _ = await api.ask("GET", ECHO, token=None, headers=headers)
    assert (status, body["actor"]) == (200, "admin")
    status, _, _ = await api.ask(
        "POST", ECHO, token=None, json={"name": "x"}, headers=headers | {"Origin": own(api)}
    )
    assert status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {},
    ],
    ids=str,
)
async def test_a_session_does_not_write_for_another_site(api: Api, headers: dict[str, str]) -> None:
    _, cookie = await sign_in(api)
    status, body, _ = await api.ask(
        "POST",
        ECHO,
        token=None,
        json={"name": "x"},
        headers={"Cookie": cookie.split(";")[0], **headers},
    )
    assert (status, body["error"]["code"]) == (403, "cross_origin")


async def test_another_site_cannot_sign_its_visitor_in(api: Api) -> None:
    status, cookie = await sign_in(api, Origin="https://evil.example")
    assert (status, cookie) == (403, "")


async def test_a_token_needs_no_origin(api: Api) -> None:
    status, _, _ = await api.ask("POST", ECHO, json={"name": "x"})
    assert status == 200


async def test_the_cookie_is_hidden_from_scripts_and_other_sites(api: Api) -> None:
    _, cookie = await sign_in(api)
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


async def test_the_cookie_is_secure_behind_https(serve: Serve) -> None:
    api = await serve(origin=Origin("https://calls.example.org"))
    _, cookie = await sign_in(api, Origin="https://calls.example.org")
    assert cookie.startswith("__Host-callctl_session=")
    assert "Secure" in cookie
    status, _ = await sign_in(api, Origin=own(api))
    assert status == 403


async def test_sign_out_ends_the_session(api: Api) -> None:
    _, cookie = await sign_in(api)
    headers = {"Cookie": cookie.split(";")[0], "Origin": own(api)}
    status, _, response = await api.ask("DELETE", "/api/v1/sessions", token=None, headers=headers)
    assert status == 204
    assert "Max-Age=0" in response.headers["Set-Cookie"]
    status, _, _ = await api.ask("GET", ECHO, token=None, headers=headers)
    assert status == 401


async def test_a_scope_that_is_missing_is_named(api: Api) -> None:
    token = await api.access.issue_token("reader", ["calls:read"])
    assert (await api.ask("GET", ECHO, token=token))[0] == 200
    status, body, _ = await api.ask("POST", ECHO, token=token, json={"name": "x"})
    assert status == 403
    assert body["error"]["detail"] == {"scope": "calls:place"}


async def test_a_token_is_made_shown_once_listed_and_revoked(api: Api) -> None:
    status, made, _ = await api.ask(
        "POST", "/api/v1/tokens", json={"name": "crm", "scopes": ["calls:read"]}
    )
    assert status == 201
    assert (await api.ask("GET", ECHO, token=made["token"]))[0] == 200

    _, page, _ = await api.ask("GET", "/api/v1/tokens?limit=1")
    assert page["items"][0]["name"] == "crm"
    assert "token" not in page["items"][0]
    _, rest, _ = await api.ask("GET", f"/api/v1/tokens?cursor={page['next']}")
    assert [item["name"] for item in rest["items"]] == ["first token"]
    assert rest["next"] is None

    assert (await api.ask("DELETE", f"/api/v1/tokens/{made['id']}"))[0] == 204
    assert (await api.ask("GET", ECHO, token=made["token"]))[0] == 401
    assert (await api.ask("DELETE", "/api/v1/tokens/999999"))[0] == 404
    assert (await api.ask("DELETE", "/api/v1/tokens/x"))[0] == 404


async def test_a_token_cannot_issue_more_than_it_has(api: Api) -> None:
    token = await api.access.issue_token("issuer", ["tokens:write"])
    status, body, _ = await api.ask(
        "POST", "/api/v1/tokens", token=token, json={"name": "x", "scopes": ["calls:read"]}
    )
    assert (status, body["error"]["field"]) == (403, "body.scopes")


async def test_an_expired_token_is_refused(api: Api) -> None:
    status, body, _ = await api.ask(
        "POST",
        "/api/v1/tokens",
        json={"name": "x", "scopes": ["calls:read"], "expires_at": "2020-01-01T00:00:00Z"},
    )
    assert (status, body["error"]["field"]) == (422, "body.expires_at")


async def test_guessing_passwords_is_slowed_down(api: Api) -> None:
    for _ in range(5):
        assert (await sign_in(api, "wrong"))[0] == 401
    status, body, response = await api.ask(
        "POST", "/api/v1/sessions", token=None, json={"login": "admin", "password": "wrong"}
    )
    assert (status, body["error"]["code"]) == (429, "too_many_attempts")
    assert 0 < int(response.headers["Retry-After"]) <= 30
