"""Webhooks as objects of an account: their rights, limits and forbidden targets."""

import asyncio
import re
import socket

import pytest

from callctl.features.webhooks import service as webhooks_service
from callctl.features.webhooks.delivery import Deliverer
from callctl.features.webhooks.store import WebhookStore
from callctl.features.webhooks.targets import ForbiddenTarget, PinnedResolver, Targets, shown_url

from .conftest import Post

PUBLIC = Targets()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "10.1.2.3", "172.16.0.1",
        "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "[::1]",
        "[::]", "[fe80::1]", "[fc00::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]", "[ff02::1]", "127.0.0.1.",
    ],
)  # fmt: skip
def test_addresses_within_the_house_are_refused(host: str) -> None:
    with pytest.raises(Exception, match="within the house"):
        PUBLIC.check_url(f"http://{host}/hook")
    with pytest.raises(ForbiddenTarget):
        PUBLIC.check_literal(host.strip("[]"))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/", "example.org", "https://", "http://user:pw@example.org/",
        "http://example.org:99999/", "javascript:alert(1)", "http://exa mple.org/", "http://[::1",
        "http://example.org/\n",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_webhook_is_refused(url: str) -> None:
    with pytest.raises(Exception, match="invalid_field"):
        PUBLIC.check_url(url)


def test_public_addresses_and_allowed_networks_pass() -> None:
    for url in ("https://8.8.8.8/", "https://[2606:4700::1111]/x", "https://crm.example.org:8443/"):
        PUBLIC.check_url(url)
    Targets(["10.1.0.0/16"]).check_url("http://10.1.2.3/")
    with pytest.raises(Exception, match="within the house"):
        Targets(["10.1.0.0/16"]).check_url("http://10.2.0.1/")


async def test_a_name_that_leads_into_the_house_is_not_connected_to() -> None:
    resolver = PinnedResolver(PUBLIC)
    with pytest.raises(ForbiddenTarget):
        await resolver.resolve("localhost", 80, socket.AF_UNSPEC)
    allowed = PinnedResolver(Targets(["127.0.0.0/8", "::1/128"]))
    assert await allowed.resolve("localhost", 80, socket.AF_UNSPEC)


async def test_delivery_to_a_name_within_the_house_fails_without_a_connection(post: Post) -> None:
    made = await post.create()
    webhook = made["webhook"]["id"]
    name = post.receiver.url.replace("127.0.0.1", "localhost")
    await post.db.execute("update webhooks set url = $1", name)
    # 127.0.0.0/8 is allowed in these tests: here nothing is.
    task = asyncio.create_task(Deliverer(WebhookStore(post.db), PUBLIC).run())
    await post.write(1)

    async def refused() -> bool:
        found = await post.deliveries(webhook)
        return bool(found and found[0]["error"])

    await post.until(refused, "the attempt is written down")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    (one,) = await post.deliveries(webhook)
    assert "may not go to" in one["error"]
    assert post.receiver.got == []


async def test_the_secret_is_shown_once_and_never_again(post: Post) -> None:
    made = await post.create()
    assert made["secret"].startswith("whsec_")
    one = f"/api/v1/webhooks/{made['webhook']['id']}"
    for path in ("/api/v1/webhooks", one):
        _, body = await post.api.ask("GET", path)
        assert made["secret"] not in str(body)


async def test_a_token_in_the_address_is_in_no_log_and_no_notice(post: Post) -> None:
    made = await post.create("https://crm.example.org/x?token=hunter2")
    one = f"/api/v1/webhooks/{made['webhook']['id']}"
    await post.api.ask("PATCH", one, {"url": "https://crm.example.org/x?token=hunter3"})
    await post.api.ask("DELETE", one)
    rows = await post.db.fetch("select before->>'url', after->>'url' from audit order by id")
    created, changed, deleted = [tuple(row) for row in rows]
    assert created[1] == changed[0] != changed[1] == deleted[0]
    assert "hunter" not in str(rows)
    assert all(u.startswith("https://crm.example.org/x?hidden-") for u in (*changed, created[1]))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://crm.example.org:8443/x/y", "https://crm.example.org:8443/x/y"),
        ("https://u:p@[2001:db8::1]:9/x", "https://[2001:db8::1]:9/x?hidden-"),
        ("https://crm.example.org?t=1", "https://crm.example.org?hidden-"),
        ("https://crm.example.org/#t", "https://crm.example.org/?hidden-"),
    ],
)
def test_an_address_is_shown_without_user_and_query(url: str, shown: str) -> None:
    assert re.sub("(?<=hidden-)[0-9a-f]{8}$", "", shown_url(url)) == shown


async def test_another_account_s_webhook_does_not_exist(post: Post) -> None:
    made = await post.create()
    other = await post.db.fetchval(
        "insert into accounts (code, name, kind) values ('other', 'O', 'enterprise') returning id"
    )
    await post.db.execute("update webhooks set account_id = $1", other)
    one = f"/api/v1/webhooks/{made['webhook']['id']}"
    for method, path, body in (
        ("GET", one, None),
        ("PATCH", one, {"active": False}),
        ("DELETE", one, None),
        ("POST", f"{one}/rotate-secret", None),
        ("GET", f"{one}/deliveries", None),
        ("POST", f"{one}/replay", {"delivery": 1}),
    ):
        status, _ = await post.api.ask(method, path, body)
        assert status == 404, (method, path)
    assert await post.db.fetchval("select count(*) from webhooks") == 1


async def test_an_account_has_a_bounded_number_of_them(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks_service, "MOST_WEBHOOKS", 2)
    await post.create()
    made = await post.create()
    new = {"url": post.receiver.url, "kinds": ["call.ended"]}
    status, body = await post.api.ask("POST", "/api/v1/webhooks", new)
    assert (status, body["error"]["code"]) == (409, "conflict")
    status, _ = await post.api.ask("DELETE", f"/api/v1/webhooks/{made['webhook']['id']}")
    assert status == 204
    await post.create()


async def test_kinds_need_the_scopes_of_whoever_asks(post: Post) -> None:
    token = await post.api.access.issue_token("crm", ["webhooks:write", "calls:read"])
    new = {"url": post.receiver.url, "kinds": ["recording.ready"]}
    status, body = await post.api.ask("POST", "/api/v1/webhooks", new, token)
    assert (status, body["error"]["detail"]) == (403, "recordings:read")
    new["kinds"] = ["call.ended"]
    status, _ = await post.api.ask("POST", "/api/v1/webhooks", new, token)
    assert status == 201
