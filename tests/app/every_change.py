"""What the walk asks for: each operation that changes something, feature by feature.

Whoever adds an operation that is no GET adds it here, or says in `WRITES_NONE` (of the test) why it
writes no line.
"""

import time
from typing import Any

import pyotp

from callctl.asterisk.ami import AmiClient
from callctl.core.calls.ongoing import OngoingCall, OngoingChannel
from callctl.core.permissions import Role
from tests.app.full_house import KEYS, WORD
from tests.app.walk import Walk
from tests.ledger.provider import sandbox
from tests.people.conftest import PASSWORD
from tests.recordings.switchboard import Switchboard
from tests.wire.peers import HOST, ami_peer


async def clients(walk: Walk) -> None:
    new = {"name": "Ann", "numbers": [{"number": "+36205551001"}]}
    ann = (await walk.change("POST", "/clients", new))["id"]
    await walk.change("PATCH", "/clients/{id}", {"name": "Anna"}, id=ann)
    copy = (await walk.change("POST", "/clients/{id}/copy", {}, id=ann))["id"]
    await walk.change("POST", "/clients/{id}/convert", {"kind": "company"}, id=copy)
    for method in ("PUT", "DELETE"):
        await walk.change(method, "/clients/{id}/companies/{company}", id=ann, company=copy)
    await walk.change("POST", "/clients/{id}/convert", {"kind": "person"}, id=copy)
    await walk.change("POST", "/clients/{id}/merge", {"loser": copy}, id=ann)
    await walk.change("DELETE", "/clients/{id}", id=ann)
    await walk.change("POST", "/clients.csv", "name\nBen\n")
    await walk.change("GET", "/clients.csv")


async def client_lists(walk: Walk) -> None:
    await walk.change("POST", "/client-types", {"name": "new"})
    types = [t["id"] for t in (await walk.ask("GET", "/api/v1/client-types"))["items"]]
    await walk.change("PUT", "/client-types", {"ids": types[::-1]})
    await walk.change("PATCH", "/client-types/{id}", {"retired": True}, id=types[0])
    await walk.change("PUT", "/client-settings", {"register": True})
    group = (await walk.change("POST", "/client-groups", {"name": "g"}))["id"]
    await walk.change("PUT", "/client-groups/{id}", {"name": "h"}, id=group)
    client = await walk.id_of("clients")
    await walk.change("POST", "/client-groups/{id}/members", {"clients": [client]}, id=group)
    path = "/client-groups/{id}/members/{client}"
    await walk.change("DELETE", path, id=group, client=client)
    await walk.change("DELETE", "/client-groups/{id}", id=group)


async def call_list(walk: Walk) -> None:
    """Shared filters: one's own are nobody else's business."""
    rule = {"outcome": "BUSY", "colour": "red", "icon": "flag"}
    await walk.change("PUT", "/display-hints", {"rules": [rule]})
    new = {"name": "busy", "filters": {"disposition": "BUSY"}, "shared": True}
    made = (await walk.change("POST", "/saved-filters", new))["id"]
    for change in ({"name": "engaged"}, {"shared": False}, {"shared": True}):
        await walk.change("PATCH", "/saved-filters/{id}", change, id=made)
    await walk.change("DELETE", "/saved-filters/{id}", id=made)


async def calls_and_recordings(walk: Walk) -> None:
    call, recording = await walk.id_of("calls"), await walk.id_of("recordings")
    await walk.change("POST", "/calls/{id}/notes", {"problem": "p"}, id=call)
    held = await walk.change("POST", "/calls/{id}/hold", {"reason": "a trial"}, id=call)
    await walk.change("POST", "/recordings/{id}/hold", {"reason": "a trial"}, id=recording)
    await walk.change("POST", "/legal-holds/{id}/release", id=held["id"])
    await walk.change("PUT", "/recording-settings", {"recording_days": 90})


async def pauses(walk: Walk) -> None:
    """Of a call that Asterisk's side of AMI says is under way."""
    daemon = walk.house.daemon
    account = walk.house.full
    (endpoint,) = (
        name
        for name, owner in daemon.routing.table.endpoints.items()
        if owner == (account, "extension", "701")
    )
    channel = f"PJSIP/{endpoint}-0000000b"
    board = Switchboard(channels={channel: ("a-1.2", "a-1.1")}, recorded={channel})
    async with ami_peer(board.script) as port:
        ami = AmiClient(HOST, port, "callctl", "secret")
        await ami.start()
        await ami.wait_for_state(connected=True, within=5)
        daemon.live_recordings._ami = ami
        for verb in ("pause", "resume"):
            path = f"/calls/live/{{uniqueid}}/recording/{verb}"
            await walk.change("POST", path, uniqueid="a-1.2")
        await ami.stop()


async def interventions(walk: Walk) -> None:
    """To a call that the daemon is told to see; Asterisk's side of AMI agrees to all of it."""
    service = walk.house.daemon.interventions
    channel = OngoingChannel("PJSIP/703-0000000b", "703", talking=True)
    async with ami_peer(Switchboard().script) as port:
        ami = AmiClient(HOST, port, "callctl", "secret")
        await ami.start()
        await ami.wait_for_state(connected=True, within=5)
        service._ami = ami
        service._why_not_live = lambda: None
        service._find_call = lambda scope, uniqueid: OngoingCall(
            uniqueid, (channel,), scope.extensions
        )
        path = "/calls/live/{uniqueid}"
        for mode in ("listen", "whisper", "barge"):
            await walk.change("POST", f"{path}/supervise", {"mode": mode}, uniqueid="a-1.2")
        await walk.change("POST", f"{path}/transfer", {"to": "701"}, uniqueid="a-1.2")
        await walk.change("POST", f"{path}/hangup", uniqueid="a-1.2")
        await ami.stop()


async def workplaces(walk: Walk) -> None:
    place = (await walk.change("POST", "/workplaces", {"x": 3, "y": 1}))["id"]
    await walk.change("PATCH", "/workplaces/{id}", {"x": 4}, id=place)
    await walk.change("POST", "/workplaces/arrange")
    await walk.change("DELETE", "/workplaces/{id}", id=place)


async def exports_and_callbacks(walk: Walk) -> None:
    await walk.change("POST", "/exports", {"source": "calls", "mode": "all"})
    await walk.change("POST", "/exports/{id}/cancel", id=await walk.id_of("exports"))
    owed = await walk.house.daemon.db.fetchval(KEYS["callbacks"], walk.house.full)
    await walk.change("PUT", "/callbacks/{id}/owner", {"extension": "701"}, id=owed)
    await walk.change("POST", "/callbacks/{id}/settle", {"note": "done"}, id=owed)


_OBJECTS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "extensions": ("711", {"number": "711"}, {"name": "b"}),
    "trunks": ("t", {"name": "t", "host": "192.0.2.9"}, {"port": 5061}),
    "dids": ("+3617000002", {"number": "+3617000002", "to": ["extension:701"]}, {"label": "b"}),
    "hunt_groups": ("h", {"name": "h", "members": ["701"]}, {"ring_seconds": 9}),
    "schedules": ("s", {"name": "s", "weekly": ["mon 08:00-17:00"]}, {"weekly": []}),
    "blocklist": ("+3612345679", {"match": "+3612345679"}, {"reason": "b"}),
    "outbound": (
        "o",
        {"name": "o", "patterns": ["+361XXXXXXX"], "trunks": [f"{WORD}-carrier"]},
        {"ring_seconds": 9},
    ),
    "emergency": (
        "113",
        {"number": "113", "trunks": [f"{WORD}-carrier"]},
        {"caller_id_number": "+3617000001"},
    ),
    "expectations": (
        "e",
        {"name": "e", "from": "+36201234567", "to": "+3617000001", "then": ["ring 701"]},
        {"from": "+36201234568"},
    ),
}


async def routing(walk: Walk) -> None:
    for field, (name, new, change) in _OBJECTS.items():
        path = f"/routing/{field}"
        await walk.change("POST", path, new)
        await walk.change("PUT", f"{path}/{{name}}", new | change, name=name)
        await walk.change("DELETE", f"{path}/{{name}}", name=name)
    document = await walk.ask("GET", "/api/v1/routing")
    await walk.change("GET", "/routing?with_secrets=true")
    document["account"]["name"] = "another"
    await walk.change("PUT", "/routing", document)
    hold = await walk.id_of("limit_holds")
    for verb in ("approve", "refuse"):
        await walk.change("POST", f"/limits/holds/{{id}}/{verb}", {}, id=hold)
    await walk.change("PUT", "/too-long", {"rules": [{"seconds": 3600}]})


async def numbers(walk: Walk) -> None:
    """Free of charge: the ledger has tests of its own."""
    operator = walk.house.sessions["operator-administrator"]
    free = {"setup": {"amount": 0, "currency": "USD"}, "monthly": {"amount": 0, "currency": "USD"}}
    block = {"first": "+3617100000", "last": "+3617100009"} | free
    await walk.change("POST", "/number-stock", block, operator)
    text = "first,setup,monthly,currency\n+3617200000,0,0,USD\n"
    await walk.change("POST", "/number-stock.csv", text, operator)
    stock = (await walk.ask("GET", "/api/v1/number-stock", who=operator))["items"]
    await walk.change(
        "PATCH", "/number-stock/{id}", {"for_sale": False}, operator, id=stock[-1]["id"]
    )
    hold = await walk.change("POST", "/number-holds", {"number": "+3617100000"})
    await walk.change("DELETE", "/number-holds/{id}", id=hold["id"])
    order = {"number": "+3617100000", "to": "extension:701"}
    number = (await walk.change("POST", "/numbers", order))["id"]
    await walk.change("PATCH", "/numbers/{id}", {"default": False}, id=number)
    async with ami_peer(Switchboard().script) as port:
        ami = AmiClient(HOST, port, "callctl", "secret")
        await ami.start()
        await ami.wait_for_state(connected=True, within=5)
        walk.house.daemon.numbers.proving._ami = ami
        await walk.change("POST", "/numbers/{id}/test", id=number)
        await ami.stop()
    await walk.change("DELETE", "/numbers/{id}", id=number)


async def number_requests(walk: Walk) -> None:
    operator = walk.house.sessions["operator-administrator"]
    for verb in ("accept", "decline", "withdraw"):
        asked = (await walk.change("POST", "/number-requests", {"country": "HU"}))["id"]
        path = f"/number-requests/{{id}}/{verb}"
        if verb == "decline":
            await walk.change("POST", path, {"reason": "none left"}, operator, id=asked)
            continue
        offer = {"number": "+3617100001" if verb == "accept" else "+3617100002"}
        await walk.change("POST", "/number-requests/{id}/offer", offer, operator, id=asked)
        body = {"to": "extension:701"} if verb == "accept" else None
        await walk.change("POST", path, body, id=asked)


async def tariffs(walk: Walk) -> None:
    new = {"name": "Carrier", "currency": "USD"}
    tariff = (await walk.change("POST", "/tariffs", new))["id"]
    await walk.change("PATCH", "/tariffs/{id}", {"name": "Carrier 2"}, id=tariff)
    rates = "prefix,price\n36,0.01\n"
    path = "/tariffs/{id}/imports"
    draft = (await walk.change("POST", path, rates, id=tariff))["id"]
    one = f"{path}/{{import_id}}"
    await walk.change("DELETE", one, id=tariff, import_id=draft)
    draft = (await walk.change("POST", path, rates, id=tariff))["id"]
    await walk.change("POST", f"{one}/apply", {}, id=tariff, import_id=draft)
    carrier = {"account_id": walk.house.full, "trunk": f"{WORD}-carrier", "tariff_id": tariff}
    await walk.change("POST", "/tariff-assignments", carrier)


async def webhooks_and_notices(walk: Walk) -> None:
    new = {"url": "https://crm.example.org/x", "kinds": ["call.ended"], "active": False}
    made = await walk.change("POST", "/webhooks", new)
    hook = made["webhook"]["id"]
    await walk.change("PATCH", "/webhooks/{id}", {"kinds": ["call.missed"]}, id=hook)
    rotated = await walk.change("POST", "/webhooks/{id}/rotate-secret", id=hook)
    since = {"since": "2026-11-22T00:00:00Z"}
    await walk.change("POST", "/webhooks/{id}/replay", since, id=hook)
    await walk.change("DELETE", "/webhooks/{id}", id=hook)
    text = str(await walk.ask("GET", f"/api/v1/audit?subject=webhook:{hook}"))
    assert "webhook.secret_rotated" in text
    assert made["secret"] not in text
    assert rotated["secret"] not in text
    notice = await walk.id_of("notices")
    await walk.change("POST", "/notices/{id}/acknowledge", {"note": "seen"}, id=notice)


async def people(walk: Walk) -> None:
    new = {"login": "anna", "name": "Anna", "role": "manager", "password": PASSWORD}
    anna = (await walk.change("POST", "/users", new))["user"]["id"]
    await walk.change("PATCH", "/users/{id}", {"name": "Anna K."}, id=anna)
    for active in (False, True):
        await walk.change("PATCH", "/users/{id}", {"active": active}, id=anna)
    await walk.change("POST", "/users/{id}/reset-password", id=anna)
    await _second_factor(walk, "bert")
    bert = walk.house.people["bert"]
    await walk.change("POST", "/users/{id}/reset-second-factor", id=bert)
    group = (await walk.change("POST", "/groups", {"name": "g"}))["id"]
    await walk.change("PATCH", "/groups/{id}", {"name": "h"}, id=group)
    await walk.change("DELETE", "/groups/{id}", id=group)
    token = await walk.change("POST", "/tokens", {"name": "t", "scopes": ["calls:read"]})
    await walk.change("DELETE", "/tokens/{id}", id=token["id"])
    invited = await walk.change("POST", "/invitations", {"role": "manager"})
    accept = {"secret": invited["secret"], "login": "carl", "password": PASSWORD, "name": "Carl"}
    await walk.change("POST", "/invitations/accept", accept, {"Origin": walk.house.url})
    invited = await walk.change("POST", "/invitations", {"role": "manager"})
    await walk.change("DELETE", "/invitations/{id}", id=invited["invitation"]["id"])


async def profile(walk: Walk) -> None:
    cookie, codes = await _second_factor(walk, "dora")
    await walk.change("PATCH", "/profile", {"name": "Dora K."}, cookie)
    await walk.change("PUT", "/profile/phone", {"extension": "703"}, cookie)
    give_up = {"password": PASSWORD, "code": codes[0]}
    await walk.change("POST", "/profile/second-factor/disable", give_up, cookie)
    change = {"current": PASSWORD, "new": f"{PASSWORD} anew"}
    await walk.change("POST", "/profile/password", change, cookie)


async def _second_factor(walk: Walk, login: str) -> tuple[dict[str, str], list[str]]:
    """Headers of a new user who has set one up, and the recovery codes."""
    new = {"login": login, "name": login, "role": "manager", "password": PASSWORD}
    made = await walk.ask("POST", "/api/v1/users", new)
    walk.house.people[login] = made["user"]["id"]
    headers = {"Origin": walk.house.url}
    body = {"login": login, "password": PASSWORD}
    await walk.ask("POST", "/api/v1/sessions", body, headers)
    path = "/profile/second-factor"
    enrolled = await walk.ask("POST", f"/api/v1{path}", {"password": PASSWORD}, headers)
    code = {"code": pyotp.TOTP(enrolled["secret"]).at(int(time.time()))}
    confirmed = await walk.change("POST", f"{path}/confirm", code, headers)
    return headers, confirmed["codes"]


async def accounts(walk: Walk) -> None:
    operator = walk.house.sessions["operator-administrator"]
    new = {"code": "new", "name": "New", "kind": "enterprise"}
    made = (await walk.change("POST", "/accounts", new, operator))["account"]["id"]
    await walk.change("PATCH", "/accounts/{id}", {"name": "Newer"}, operator, id=made)
    await walk.change("POST", "/accounts/{id}/invitations", {}, operator, id=made)
    credit = {"mode": "postpaid", "credit_limit": 100}
    await walk.change("PUT", "/accounts/{id}/spend", credit, operator, id=made)


async def packages(walk: Walk) -> None:
    operator = walk.house.sessions["operator-administrator"]
    terms = {"prices": [{"amount": 0, "currency": "USD"}], "reminder_days": [7]}
    await walk.change("PUT", "/package-terms", terms, operator)
    path = "/packages/{id}"
    await walk.change("PATCH", path, {"required": True}, operator, id=walk.house.full)
    quote = await walk.ask_twice("/quotes", {"purchase": "renew", "months": 1})
    await walk.change("POST", "/quotes/{id}/pay", id=quote["id"])
    boss = walk.house.people[f"{WORD}-boss"]
    await walk.change("DELETE", "/seats/{id}", id=boss)
    await walk.change("POST", "/seats", {"user_id": boss})


async def money(walk: Walk) -> None:
    house = walk.house
    await house.add_person("auditor", Role.ADMINISTRATOR, house.full)
    auditor, operator = house.sessions["auditor"], house.sessions["operator-administrator"]
    usd = {"amount": 100, "currency": "USD"}
    await walk.change("POST", "/ledger/top-ups", usd, operator)
    await walk.change("POST", "/ledger/issues", usd | {"account_id": house.full}, operator)
    target = (await walk.ask("GET", "/api/v1/transfers/targets"))["items"][0]["id"]
    for state in ("approved", "rejected"):
        made = (await walk.change("POST", "/transfers", usd | {"target": target}))["id"]
        await walk.change("PATCH", "/transfers/{id}", {"state": state}, auditor, id=made)
    await walk.change("DELETE", "/transfers/{id}", id=made)
    await _payments(walk, usd)
    new = usd | {"legal_name": "Example Ltd"}
    for answers in (({"state": "declined"},), (_INVOICED, {"state": "paid"})):
        made = (await walk.change("POST", "/invoice-requests", new))["id"]
        for answer in answers:
            await walk.change("PATCH", "/invoicing/{id}", answer, operator, id=made)


_INVOICED = {"state": "invoiced", "invoice_number": "1"}


async def _payments(walk: Walk, usd: dict[str, Any]) -> None:
    """Through a provider that the test plays."""
    async with sandbox() as provider:
        walk.house.daemon.payments.provider = provider.client
        for state in ("paid", "failed"):
            made = (await walk.change("POST", "/payments", usd))["id"]
            body, headers = provider.news(str(made), state, **usd)
            await walk.change("POST", "/payments/callback", body, headers)


PARTS = (
    clients, client_lists, call_list, calls_and_recordings, pauses, interventions, workplaces,
    exports_and_callbacks, routing, tariffs, numbers, number_requests, webhooks_and_notices,
    people, profile, accounts, packages, money,
)  # fmt: skip
"""In their order: later ones use what earlier ones made."""
