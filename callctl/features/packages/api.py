"""``/api/v1/packages``, ``package-terms``, ``quotes`` and ``seats``."""

from datetime import UTC, datetime

from callctl.core.packages import PackageState, Purchase
from callctl.core.permissions import Scope
from callctl.features.packages.model import (
    NewQuote,
    NewSeat,
    PackageChange,
    PackageFilters,
    PackageTerms,
    PackageView,
    PaidQuote,
    Price,
    QuoteFilters,
    QuoteLine,
    QuoteView,
    SeatFilters,
    SeatView,
)
from callctl.features.packages.service import PackageService
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Empty, Endpoint, Page

_TAG = "packages"
_PACKAGES = "/api/v1/packages"
_TERMS = "/api/v1/package-terms"
_QUOTES = "/api/v1/quotes"
_SEATS = "/api/v1/seats"

_SINCE, _UNTIL = datetime(2026, 11, 27, 10, tzinfo=UTC), datetime(2027, 2, 27, 10, tzinfo=UTC)
_PACKAGE = PackageView(
    12, "sunrise", "Sunrise Ltd", True, PackageState.ACTIVE, 5, 0, _SINCE, 3, _UNTIL,
    Price(100_000, "COIN"),
)  # fmt: skip
_QUOTE = QuoteView(
    7, "open", Purchase.ACTIVATE, 5, 3, 100_000, "COIN",
    [QuoteLine(5, 100_000, 3, 0, 0, 1_500_000)], 1_500_000, _UNTIL, _SINCE, "anna",
    datetime(2026, 11, 27, 10, 15, tzinfo=UTC), None, None, None,
)  # fmt: skip
_PRICES = PackageTerms([Price(100_000, "COIN")], [14, 3, 1])


def endpoints(service: PackageService) -> list[Endpoint]:
    return [
        *_package_endpoints(service),
        *_quote_endpoints(service),
        *_seat_endpoints(service),
    ]


def _package_endpoints(service: PackageService) -> list[Endpoint]:
    async def list_packages(call: ApiCall) -> object:
        return await service.list_packages(call.actor, call.query)

    async def get_package(call: ApiCall) -> object:
        return await service.get_package(call.actor, path_id(call.path))

    async def change_package(call: ApiCall) -> object:
        account_id = path_id(call.path)
        return await service.change_package(call.actor, account_id, call.body, call.request_key)

    async def get_terms(call: ApiCall) -> object:
        return await service.get_terms(call.actor)

    async def save_terms(call: ApiCall) -> object:
        return await service.save_terms(call.actor, call.body, call.request_key)

    read, sell = Scope.PACKAGES_READ, Scope.PACKAGES_SELL
    return [
        Endpoint(
            "GET", _PACKAGES, "The own package, and those of customers for whoever sells", _TAG,
            read, list_packages, Page[PackageView], query=PackageFilters,
            example=Page([_PACKAGE], None),
        ),
        Endpoint(
            "GET", f"{_PACKAGES}/{{id}}", "The package of an account, by the account's id", _TAG,
            read, get_package, PackageView, example=_PACKAGE,
        ),
        Endpoint(
            "PATCH", f"{_PACKAGES}/{{id}}", "Demand a package of a customer, or no more", _TAG,
            sell, change_package, PackageView, body=PackageChange, errors=("not_found", "conflict"),
            body_example=PackageChange(True), example=_PACKAGE, idempotent=True,
        ),
        Endpoint(
            "GET", _TERMS, "What customers pay for a seat and month, when they are reminded", _TAG,
            sell, get_terms, PackageTerms, example=_PRICES,
        ),
        Endpoint(
            "PUT", _TERMS, "Set what customers pay, and when they are reminded", _TAG, sell,
            save_terms, PackageTerms, body=PackageTerms, body_example=_PRICES, example=_PRICES,
            idempotent=True,
        ),
    ]  # fmt: skip


def _quote_endpoints(service: PackageService) -> list[Endpoint]:
    async def list_quotes(call: ApiCall) -> object:
        return await service.list_quotes(call.actor, call.query)

    async def get_quote(call: ApiCall) -> object:
        return await service.get_quote(call.actor, path_id(call.path))

    async def create_quote(call: ApiCall) -> object:
        return await service.create_quote(call.actor, call.body, call.request_key)

    async def pay_quote(call: ApiCall) -> object:
        return await service.pay_quote(call.actor, path_id(call.path), call.request_key)

    read, write = Scope.PACKAGES_READ, Scope.PACKAGES_WRITE
    return [
        Endpoint(
            "GET", _QUOTES, "Quotes, the newest first; with `paid` the orders", _TAG, read,
            list_quotes, Page[QuoteView], query=QuoteFilters, example=Page([_QUOTE], None),
        ),
        Endpoint(
            "GET", f"{_QUOTES}/{{id}}", "One quote", _TAG, read, get_quote, QuoteView,
            example=_QUOTE,
        ),
        Endpoint(
            "POST", _QUOTES, "What it would cost; holds for some minutes, moves nothing", _TAG,
            write, create_quote, QuoteView, body=NewQuote, status=201, idempotent=True,
            errors=("conflict", "package_required"),
            body_example=NewQuote(Purchase.ACTIVATE, 5, 3), example=_QUOTE,
        ),
        Endpoint(
            "POST", f"{_QUOTES}/{{id}}/pay",
            "Pay exactly this quote from the wallet, once; what it buys is there at once", _TAG,
            write, pay_quote, PaidQuote, idempotent=True,
            errors=(
                "not_found", "quote_paid", "quote_expired", "quote_outdated", "insufficient_funds",
                "conflict",
            ),
        ),
    ]  # fmt: skip


def _seat_endpoints(service: PackageService) -> list[Endpoint]:
    async def list_seats(call: ApiCall) -> object:
        return await service.list_seats(call.actor, call.query)

    async def add_member(call: ApiCall) -> object:
        return await service.add_member(call.actor, call.body, call.request_key)

    async def remove_member(call: ApiCall) -> object:
        return await service.remove_member(call.actor, path_id(call.path), call.request_key)

    read, write = Scope.PACKAGES_READ, Scope.PACKAGES_WRITE
    return [
        Endpoint(
            "GET", _SEATS, "Members of the package", _TAG, read, list_seats, Page[SeatView],
            query=SeatFilters,
        ),
        Endpoint(
            "POST", _SEATS, "Give a user a seat", _TAG, write, add_member, SeatView, body=NewSeat,
            status=201, idempotent=True,
            errors=("package_required", "not_found", "conflict", "already_exists", "seats_taken"),
            body_example=NewSeat(31),
        ),
        Endpoint(
            "DELETE", f"{_SEATS}/{{id}}", "Free a user's seat, by the user's id; no refund", _TAG,
            write, remove_member, Empty, status=204, errors=("not_found",), idempotent=True,
        ),
    ]  # fmt: skip
