"""``POST /api/v1/calls/live/{uniqueid}/hangup``, ``/transfer`` and ``/supervise``."""

from callctl.core.permissions import Scope
from callctl.features.interventions.model import InterventionView, SuperviseCall, TransferCall
from callctl.features.interventions.service import InterventionService
from callctl.http.endpoint import ApiCall, Endpoint

_TAG = "calls"
_CALL = "/api/v1/calls/live/{uniqueid}"
_ERRORS = ("not_found", "conflict", "asterisk_unavailable", "call_failed", "call_uncertain")


def endpoints(service: InterventionService) -> list[Endpoint]:
    async def hang_up(call: ApiCall) -> object:
        return await service.hang_up(call.actor, call.path["uniqueid"])

    async def transfer(call: ApiCall) -> object:
        return await service.transfer(call.actor, call.path["uniqueid"], call.body)

    async def supervise(call: ApiCall) -> object:
        key = call.request_key.key if call.request_key else None
        return await service.supervise(call.actor, call.path["uniqueid"], call.body, key)

    control = Scope.CALLS_CONTROL
    return [
        Endpoint(
            "POST", f"{_CALL}/hangup", "End a call that goes on, for everybody in it", _TAG,
            control, hang_up, InterventionView, errors=_ERRORS,
        ),
        Endpoint(
            "POST", f"{_CALL}/transfer", "Send a party of a call elsewhere, as its phone could",
            _TAG, control, transfer, InterventionView, body=TransferCall,
            body_example=TransferCall("102"), errors=_ERRORS,
        ),
        Endpoint(
            "POST", f"{_CALL}/supervise", "Ring one's own phone, and hear a call that goes on",
            _TAG, Scope.CALLS_LISTEN, supervise, InterventionView, body=SuperviseCall,
            body_example=SuperviseCall("listen"), status=202, idempotent=True, errors=_ERRORS,
        ),
    ]  # fmt: skip
