"""``/api/v1/wallet``, ``/api/v1/ledger``, and the same of accounts directly below."""

from callctl.core.permissions import Scope
from callctl.features.ledger.model import (
    IssuedFunds,
    IssueFunds,
    LedgerEntry,
    LedgerFilters,
    TopUp,
    WalletFilters,
    WalletView,
)
from callctl.features.ledger.service import LedgerService
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Endpoint, Page

_TAG = "money"
_LEDGER, _BELOW = "/api/v1/ledger", "/api/v1/accounts/{id}"
_ISSUE = IssueFunds(12, 250_00, "EUR", "March")
_TOP_UP = TopUp(1000_00, "EUR", 12, "cash, receipt 118")


def endpoints(service: LedgerService) -> list[Endpoint]:
    async def get_wallet(call: ApiCall) -> object:
        return await service.get_wallet(call.actor)

    async def list_entries(call: ApiCall) -> object:
        return await service.list_entries(call.actor, call.query)

    async def get_wallet_below(call: ApiCall) -> object:
        return await service.get_wallet_below(call.actor, path_id(call.path))

    async def list_wallets_below(call: ApiCall) -> object:
        return await service.list_wallets_below(call.actor, call.query)

    async def list_entries_below(call: ApiCall) -> object:
        return await service.list_entries_below(call.actor, path_id(call.path), call.query)

    async def issue(call: ApiCall) -> object:
        return await service.issue(call.actor, call.body, call.request_key)

    async def top_up(call: ApiCall) -> object:
        return await service.top_up(call.actor, call.body, call.request_key)

    return [
        Endpoint(
            "GET", "/api/v1/wallet", "What the account has, and how much of it is set aside", _TAG,
            Scope.LEDGER_READ, get_wallet, WalletView,
        ),
        Endpoint(
            "GET", _LEDGER, "The account's ledger, the newest first", _TAG, Scope.LEDGER_READ,
            list_entries, Page[LedgerEntry], query=LedgerFilters,
        ),
        Endpoint(
            "GET", "/api/v1/wallets", "What accounts directly below have, by account", _TAG,
            Scope.LEDGER_BELOW, list_wallets_below, Page[WalletView], query=WalletFilters,
        ),
        Endpoint(
            "GET", f"{_BELOW}/wallet", "What an account directly below has", _TAG,
            Scope.LEDGER_BELOW, get_wallet_below, WalletView,
        ),
        Endpoint(
            "GET", f"{_BELOW}/ledger", "The ledger of an account directly below", _TAG,
            Scope.LEDGER_BELOW, list_entries_below, Page[LedgerEntry], query=LedgerFilters,
        ),
        Endpoint(
            "POST", f"{_LEDGER}/issues", "Give funds to an account directly below", _TAG,
            Scope.LEDGER_ISSUE, issue, IssuedFunds, body=IssueFunds, body_example=_ISSUE,
            status=201, idempotent=True,
            errors=("not_found", "currency_mismatch", "insufficient_funds", "conflict"),
        ),
        Endpoint(
            "POST", f"{_LEDGER}/top-ups", "Credit money that came from outside (the operator's)",
            _TAG, Scope.LEDGER_TOP_UP, top_up, IssuedFunds, body=TopUp, body_example=_TOP_UP,
            status=201, idempotent=True, errors=("not_found", "currency_mismatch", "conflict"),
        ),
    ]  # fmt: skip
