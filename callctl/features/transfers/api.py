"""``/api/v1/transfers``."""

from callctl.core.permissions import Scope
from callctl.features.transfers.model import (
    AuditTransfer,
    NewTransfer,
    TransferFilters,
    TransferTargets,
    TransferView,
)
from callctl.features.transfers.service import TransferService
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Empty, Endpoint, Page

_TAG = "money"
_PATH = "/api/v1/transfers"
_ONE = f"{_PATH}/{{id}}"


def endpoints(service: TransferService) -> list[Endpoint]:
    async def list_targets(call: ApiCall) -> object:
        return await service.list_targets(call.actor)

    async def list_transfers(call: ApiCall) -> object:
        return await service.list_transfers(call.actor, call.query)

    async def get(call: ApiCall) -> object:
        return await service.get(call.actor, path_id(call.path))

    async def create(call: ApiCall) -> object:
        return await service.create(call.actor, call.body, call.request_key)

    async def audit(call: ApiCall) -> object:
        return await service.audit(call.actor, path_id(call.path), call.body, call.request_key)

    async def delete(call: ApiCall) -> object:
        return await service.delete(call.actor, path_id(call.path), call.request_key)

    read = Scope.LEDGER_READ
    return [
        Endpoint(
            "GET", f"{_PATH}/targets", "Whom the account can pay: its direct superior", _TAG,
            Scope.TRANSFERS_WRITE, list_targets, TransferTargets,
        ),
        Endpoint(
            "GET", _PATH, "Transfers to the superior, the newest first", _TAG, read,
            list_transfers, Page[TransferView], query=TransferFilters,
        ),
        Endpoint("GET", _ONE, "One transfer", _TAG, read, get, TransferView),
        Endpoint(
            "POST", _PATH, "Set money aside for the superior; it is paid when somebody else "
            "approves", _TAG, Scope.TRANSFERS_WRITE, create, TransferView, body=NewTransfer,
            body_example=NewTransfer(1, 120_00, "EUR", "August"), status=201, idempotent=True,
            errors=("not_the_superior", "currency_mismatch", "insufficient_funds"),
        ),
        Endpoint(
            "PATCH", _ONE, "Audit a transfer that somebody else has made", _TAG,
            Scope.TRANSFERS_AUDIT, audit, TransferView, body=AuditTransfer,
            body_example=AuditTransfer("approved"), idempotent=True,
            errors=("own_transfer", "transfer_final", "conflict"),
        ),
        Endpoint(
            "DELETE", _ONE, "Delete a transfer that is not approved", _TAG, Scope.TRANSFERS_WRITE,
            delete, Empty, status=204, idempotent=True, errors=("transfer_final",),
        ),
    ]  # fmt: skip
