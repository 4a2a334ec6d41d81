"""``/api/v1/number-requests``: wanted numbers, from both sides."""

from callctl.core.permissions import Scope
from callctl.features.numbers.api import BUY_ERRORS
from callctl.features.numbers.model import NumberItem
from callctl.features.numbers.request_model import (
    Acceptance,
    Declination,
    NewOffer,
    NewRequest,
    RequestFilters,
    RequestItem,
)
from callctl.features.numbers.requests import RequestService
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Endpoint, Page

_TAG = "numbers"
_PATH = "/api/v1/number-requests"


def request_endpoints(service: RequestService) -> list[Endpoint]:
    async def list_requests(call: ApiCall) -> object:
        return await service.list_requests(call.actor, call.query)

    async def get_request(call: ApiCall) -> object:
        return await service.get_request(call.actor, path_id(call.path))

    async def ask(call: ApiCall) -> object:
        return await service.ask(call.actor, call.body, call.request_key)

    async def offer(call: ApiCall) -> object:
        return await service.offer(call.actor, path_id(call.path), call.body, call.request_key)

    async def decline(call: ApiCall) -> object:
        return await service.decline(call.actor, path_id(call.path), call.body, call.request_key)

    async def accept(call: ApiCall) -> object:
        return await service.accept(call.actor, path_id(call.path), call.body, call.request_key)

    async def withdraw(call: ApiCall) -> object:
        return await service.withdraw(call.actor, path_id(call.path), call.request_key)

    read, buy, stock = Scope.NUMBERS_READ, Scope.NUMBERS_BUY, Scope.NUMBERS_STOCK
    item = f"{_PATH}/{{id}}"
    errors = ("not_found", "conflict")
    return [
        Endpoint(
            "GET", _PATH, "Wishes for numbers: one's own, and those of one's customers", _TAG, read,
            list_requests, Page[RequestItem], query=RequestFilters,
        ),
        Endpoint(
            "GET", item, "One of them", _TAG, read, get_request, RequestItem,
            errors=("not_found",),
        ),
        Endpoint(
            "POST", _PATH, "Ask for a number that is not to be had; it costs nothing", _TAG, buy,
            ask, RequestItem, body=NewRequest, body_example=NewRequest(country="HU", area="1"),
            status=201, errors=errors, idempotent=True,
        ),
        Endpoint(
            "POST", f"{item}/offer", "By the seller: offer a number, held until a deadline", _TAG,
            stock, offer, RequestItem, body=NewOffer,
            body_example=NewOffer("+3617000001"), errors=errors, idempotent=True,
        ),
        Endpoint(
            "POST", f"{item}/decline", "By the seller: say why it cannot be had", _TAG, stock,
            decline, RequestItem, body=Declination,
            body_example=Declination("none is left in Budapest"), errors=errors,
            idempotent=True,
        ),
        Endpoint(
            "POST", f"{item}/accept", "Buy the number that is offered", _TAG, buy, accept,
            NumberItem, body=Acceptance,
            body_example=Acceptance("extension:101"), status=201, errors=BUY_ERRORS,
            idempotent=True,
        ),
        Endpoint(
            "POST", f"{item}/withdraw", "Take a wish back", _TAG, buy, withdraw, RequestItem,
            errors=errors, idempotent=True,
        ),
    ]  # fmt: skip
