"""A customer of the demo's company: it buys a number over the API, and is called on it at once.

Everything is asked of the API, as a seller's and a buyer's own programs would. What is made at the
first start (the account, its routing, its prices, its money) stays for the next.
"""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from callctl.core.money.currencies import format_amount
from callctl.core.permissions import scopes_of_account
from callctl.demo.play import Api, Played, play
from callctl.demo.script import DemoCall
from callctl.demo.sip import Answer, Phone, RingOut
from callctl.demo.stage import NET, PHONES_SECONDS, Stage
from callctl.demo.verify import charge_differences

PURCHASE = "a customer buys a number; the next call to it finds nobody in, and goes on to a mobile"

CODE = "shop"
EXTENSION = "201"
CARRIER = "carrier-shop"
CARRIER_ADDRESS = f"{NET}.24"
MOBILE = "+36301112233"
TALK = 2.5
"""Seconds; a second begun is charged, and this is far from where the next begins."""

CURRENCY = "HUF"
FUNDS = 2_000_000
LOW = 200_000
"""Less than this in the wallet is filled up: a number and its call cost less."""

ROUTING: dict[str, Any] = {
    "account": {"code": CODE, "name": "A shop", "country": "HU", "timezone": "Europe/Budapest"},
    "extensions": [
        {
            "number": EXTENSION,
            "name": "The shop's counter",
            "ring_seconds": 2,
            "forward_no_answer": [f"number:{MOBILE}"],
        }
    ],
    "trunks": [
        {
            "name": CARRIER,
            "host": CARRIER_ADDRESS,
            "match": [CARRIER_ADDRESS],
            "qualify_seconds": 2,
        }
    ],
    "outbound": [{"name": "national", "patterns": ["+36."], "trunks": [CARRIER]}],
    "emergency": [{"number": "112", "trunks": [CARRIER]}],
}

RATES = b"""\
prefix,destination,price,unit_seconds,connect_fee,minimum_seconds,increment_seconds
36,Hungary,6,60,0,0,60
3630,Hungary mobile,24,60,5,0,1
"""


@dataclass(frozen=True, slots=True)
class Bought:
    """A number that was bought and called: the call as it went, and what was paid.

    `number_cost`, `call_cost`, `balance` in minor units of `CURRENCY`. `problems` are those with
    the money; those with the record are the call's own.
    """

    number: str
    played: Played
    number_cost: int
    call_cost: int
    balance: int
    problems: list[str] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        return not self.problems and not self.played.problems


@dataclass(frozen=True, slots=True)
class Shop:
    """The customer: its id, and the API as its own programs ask it."""

    id: int
    own: Api


@contextlib.asynccontextmanager
async def open_shop(
    stage: Stage, seller: Api, session: aiohttp.ClientSession
) -> AsyncIterator[Shop]:
    """The shop with its phone and its carrier. Raises aiohttp's errors, SipError."""
    shop = await _shop(stage, seller, session)
    server, directory = stage.stack.address, stage.stack.state_dir / "sip"
    phone = Phone(
        EXTENSION, f"{NET}.{EXTENSION}", server, directory, secret=stage.stack.secrets[EXTENSION]
    )
    carrier = Phone(CARRIER, CARRIER_ADDRESS, server, directory)
    async with contextlib.AsyncExitStack() as life:
        for party in (phone, carrier):
            party.life_seconds = PHONES_SECONDS
            await life.enter_async_context(party)
        stage.phones[EXTENSION], stage.carriers[CARRIER] = phone, carrier
        await stage.stack.until_qualified(len(stage.carriers))
        yield shop


async def buy_and_be_called(stage: Stage, shop: Shop) -> Bought:
    """Buy the first number on offer; the very next call is one to it, which nobody at the counter
    answers, so that it goes on to a mobile and is paid for."""
    offer = (await shop.own.get("/api/v1/number-offers", limit="1"))["items"][0]
    before = await shop.own.get("/api/v1/ledger", limit="1")
    body = {"number": offer["number"], "to": f"extension:{EXTENSION}"}
    number = (await shop.own.send("POST", "/api/v1/numbers", body))["number"]
    call = DemoCall(
        title="",
        from_="+36201110007",
        via="carrier-a",
        to=number,
        tried=(EXTENSION, CARRIER),
        behaviours={EXTENSION: RingOut(), CARRIER: Answer(after=0.3, talk=TALK)},
        answers=CARRIER,
    )
    played = await play(stage, shop.own, call)
    since = before["items"][0]["seq"] if before["items"] else 0
    entries = (await shop.own.get("/api/v1/ledger"))["items"]
    return await _judge(shop, number, played, [e for e in entries if e["seq"] > since])


async def _judge(shop: Shop, number: str, played: Played, entries: list[dict[str, Any]]) -> Bought:
    """Whether what was posted is what the number and the call cost, and nothing else."""
    paid = {"number": 0, "call": 0}
    for entry in entries:
        paid[entry["kind"].partition("_")[0]] -= entry["amount"]
    balance = (await shop.own.get("/api/v1/ledger", limit="1"))["items"][0]["balance"]
    problems: list[str] = []
    if played.record is not None:
        problems += charge_differences(played.record, dict(played.seen.tried)[CARRIER])
        seconds = sum(cost["talk_seconds"] for cost in played.record["costs"])
        quote = await shop.own.get("/api/v1/rates/quote", number=MOBILE, seconds=str(seconds))
        due = quote["lines"][0]["amount"]
        for what, found, wanted in (
            ("the call's cost", played.record["call"]["cost"], due),
            ("what was charged for the call", paid["call"], due),
        ):
            if found != wanted:
                problems.append(f"{what}: recorded {found}, real {wanted}")
    if not paid["number"]:
        problems.append("the number was not charged")
    return Bought(number, played, paid["number"], paid["call"], balance, problems)


def money(amount: int) -> str:
    """As ``5.80 HUF``."""
    return f"{format_amount(amount, CURRENCY)} {CURRENCY}"


# What is made once


async def _shop(stage: Stage, seller: Api, session: aiohttp.ClientSession) -> Shop:
    accounts = (await seller.get("/api/v1/accounts", kind="enterprise"))["items"]
    found = [account["id"] for account in accounts if account["code"] == CODE]
    shop_id = found[0] if found else await _make_account(seller)
    own = Api(stage.url, await _token(stage), session)
    if not found:
        await own.send("PUT", "/api/v1/routing", ROUTING)
        await _set_prices(seller, shop_id)
    await _fill_up(seller, shop_id)
    return Shop(shop_id, own)


async def _make_account(seller: Api) -> int:
    new = {
        "code": CODE, "name": "A shop", "kind": "enterprise", "country": "HU",
        "timezone": "Europe/Budapest", "currency": CURRENCY,
    }  # fmt: skip
    made = await seller.send("POST", "/api/v1/accounts", new)
    account_id: int = made["account"]["id"]
    return account_id


async def _token(stage: Stage) -> str:
    file = stage.stack.state_dir / "shop.json"
    token = _read_token(file)
    if token is None:
        scopes = sorted(scopes_of_account("enterprise"))
        token = await stage.stack.daemon.access.issue_token("shop", scopes, CODE)
        _write_token(file, token)
    return token


def _read_token(file: Path) -> str | None:
    if not file.exists():
        return None
    token: str = json.loads(file.read_text())["token"]
    return token


def _write_token(file: Path, token: str) -> None:
    file.touch(mode=0o600)
    file.write_text(json.dumps({"token": token}))


async def _set_prices(seller: Api, shop_id: int) -> None:
    new = {"name": "Calls of customers", "currency": CURRENCY, "timezone": "Europe/Budapest"}
    tariff = (await seller.send("POST", "/api/v1/tariffs", new))["id"]
    path = f"/api/v1/tariffs/{tariff}/imports"
    preview = await seller.send("POST", path, data=RATES)
    await seller.send("POST", f"{path}/{preview['id']}/apply", {})
    assignment = {"account_id": shop_id, "tariff_id": tariff}
    await seller.send("POST", "/api/v1/tariff-assignments", assignment)


async def _fill_up(seller: Api, shop_id: int) -> None:
    """Money in the wallet, numbers in the stock."""
    wallet = await seller.get(f"/api/v1/accounts/{shop_id}/wallet")
    if wallet["available"] < LOW:
        top_up = {"amount": FUNDS, "currency": CURRENCY, "account_id": shop_id, "note": "cash"}
        await seller.send("POST", "/api/v1/ledger/top-ups", top_up)
    stock = (await seller.get("/api/v1/number-stock", limit="500"))["items"]
    if not any(number["state"] == "available" for number in stock):
        first = 36_1701_0000 + len(stock)
        block = {
            "first": f"+{first}", "last": f"+{first + 99}", "area": "Budapest",
            "setup": {"amount": 50_000, "currency": CURRENCY},
            "monthly": {"amount": 31_000, "currency": CURRENCY},
        }  # fmt: skip
        await seller.send("POST", "/api/v1/number-stock", block)
