"""``/api/v1/numbers``, what can be had, holds, and the seller's stock."""

import hashlib

from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.db.idempotency import with_file
from callctl.features.numbers.blocks import MAX_BYTES
from callctl.features.numbers.buying import NumberService
from callctl.features.numbers.model import (
    BlockOptions,
    BlockReport,
    HoldItem,
    NewBlock,
    NewHold,
    NewNumber,
    NumberChange,
    NumberFilters,
    NumberItem,
    OfferFilters,
    OfferItem,
    PriceView,
    StockChange,
    StockFilters,
    StockItem,
)
from callctl.features.numbers.offers import OfferService
from callctl.features.numbers.proving import ProvingService
from callctl.features.numbers.stock import StockService
from callctl.http.decode import path_id, read_body
from callctl.http.endpoint import ApiCall, Empty, Endpoint, Page

_TAG = "numbers"
_PATH = "/api/v1/numbers"
_STOCK = "/api/v1/number-stock"
_ROUTING = ("invalid_routing", "broken_expectation", "already_exists", "revision_conflict")
BUY_ERRORS = ("not_found", "conflict", "insufficient_funds", *_ROUTING)


def number_endpoints(service: NumberService, proving: ProvingService) -> list[Endpoint]:
    """One's own numbers."""

    async def list_numbers(call: ApiCall) -> object:
        return await service.list_numbers(call.actor, call.query)

    async def get_number(call: ApiCall) -> object:
        return await service.get_number(call.actor, path_id(call.path))

    async def buy(call: ApiCall) -> object:
        return await service.buy(call.actor, call.body, call.request_key)

    async def change(call: ApiCall) -> object:
        return await service.change(call.actor, path_id(call.path), call.body, call.request_key)

    async def test(call: ApiCall) -> object:
        return await proving.test(call.actor, path_id(call.path), call.request_key)

    async def release(call: ApiCall) -> object:
        return await service.release(call.actor, path_id(call.path), call.request_key)

    read, write = Scope.NUMBERS_READ, Scope.NUMBERS_BUY
    found = ("not_found",)
    return [
        Endpoint(
            "GET", _PATH, "The account's numbers, in order", _TAG, read, list_numbers,
            Page[NumberItem], query=NumberFilters,
        ),
        Endpoint(
            "GET", f"{_PATH}/{{id}}", "One of them", _TAG, read, get_number, NumberItem,
            errors=found,
        ),
        Endpoint(
            "POST", _PATH, "Buy a number: charged, assigned and routed in one step, or nothing "
            "of it", _TAG, write, buy, NumberItem, body=NewNumber,
            body_example=NewNumber("+3612345678", "hunt_group:sales"), status=201,
            errors=BUY_ERRORS, idempotent=True,
        ),
        Endpoint(
            "PATCH", f"{_PATH}/{{id}}", "Make it the account's default number, or not", _TAG, write,
            change, NumberItem, body=NumberChange,
            body_example=NumberChange(default=True), errors=("not_found", *_ROUTING),
            idempotent=True,
        ),
        Endpoint(
            "POST", f"{_PATH}/{{id}}/test", "Place a test call; its record says whether it rang",
            _TAG, write, test, NumberItem, status=202,
            errors=("not_found", "conflict", "asterisk_unavailable", "call_failed"),
            idempotent=True,
        ),
        Endpoint(
            "DELETE", f"{_PATH}/{{id}}", "Give a number up; what is paid is not given back", _TAG,
            write, release, Empty, status=204, errors=("not_found", "conflict", *_ROUTING),
            idempotent=True,
        ),
    ]  # fmt: skip


def offer_endpoints(service: OfferService) -> list[Endpoint]:
    """What can be had, and set aside."""

    async def search(call: ApiCall) -> object:
        return await service.search(call.actor, call.query)

    async def holds(call: ApiCall) -> object:
        return await service.list_holds(call.actor)

    async def hold(call: ApiCall) -> object:
        return await service.hold(call.actor, call.body, call.request_key)

    async def drop(call: ApiCall) -> object:
        return await service.drop(call.actor, path_id(call.path), call.request_key)

    read, write = Scope.NUMBERS_READ, Scope.NUMBERS_BUY
    path = "/api/v1/number-holds"
    return [
        Endpoint(
            "GET", "/api/v1/number-offers", "Numbers that can be bought, and what each would cost",
            _TAG, read, search, Page[OfferItem], query=OfferFilters,
            errors=("provider_unavailable", "not_found"),
        ),
        Endpoint("GET", path, "What is set aside now", _TAG, read, holds, Page[HoldItem]),
        Endpoint(
            "POST", path, "Set a number aside for minutes; it is free again by itself", _TAG, write,
            hold, HoldItem, body=NewHold, body_example=NewHold("+3612345678"), status=201,
            errors=("not_found", "conflict", "provider_unavailable"), idempotent=True,
        ),
        Endpoint(
            "DELETE", f"{path}/{{id}}", "Give a hold up", _TAG, write, drop, Empty, status=204,
            errors=("not_found",), idempotent=True,
        ),
    ]  # fmt: skip


def stock_endpoints(service: StockService) -> list[Endpoint]:
    """What sellers do."""

    async def list_stock(call: ApiCall) -> object:
        return await service.list_stock(call.actor, call.query)

    async def load_block(call: ApiCall) -> object:
        return await service.load_block(call.actor, call.body, call.request_key)

    async def load_csv(call: ApiCall) -> object:
        if call.raw.content_type != "text/csv":
            words = f"expected text/csv, not {call.raw.content_type}"
            raise CallctlError("unsupported_media_type", words)
        raw = await read_body(call.raw, MAX_BYTES)
        key = with_file(call.request_key, hashlib.sha256(raw).digest())
        return await service.load_csv(call.actor, raw, call.query, key)

    async def change(call: ApiCall) -> object:
        return await service.change(call.actor, path_id(call.path), call.body, call.request_key)

    stock = Scope.NUMBERS_STOCK
    errors = ("not_found", "invalid_import")
    block = NewBlock("+3612340000", PriceView(500, "EUR"), PriceView(200, "EUR"), "+3612340099")
    return [
        Endpoint(
            "GET", _STOCK, "One's stock of numbers, in order", _TAG, stock, list_stock,
            Page[StockItem], query=StockFilters,
        ),
        Endpoint(
            "POST", _STOCK, "Load a range of numbers: all of it, or nothing", _TAG, stock,
            load_block, BlockReport, body=NewBlock, body_example=block, status=201, errors=errors,
            idempotent=True,
        ),
        Endpoint(
            "POST", f"{_STOCK}.csv", "Load ranges from CSV: all lines, or none if one is wrong",
            _TAG, stock, load_csv, BlockReport, query=BlockOptions, status=201,
            errors=(*errors, "unsupported_media_type", "body_too_large", "request_timeout"),
            idempotent=True,
        ),
        Endpoint(
            "PATCH", f"{_STOCK}/{{id}}", "Change a number's prices, or whether it is for sale",
            _TAG, stock, change, StockItem, body=StockChange,
            body_example=StockChange(for_sale=False), errors=("not_found", "conflict"),
            idempotent=True,
        ),
    ]  # fmt: skip
