"""POST /api/v1/calls."""

from callctl.core.permissions import Scope
from callctl.features.originate.model import PlaceCall, PlacedCall
from callctl.features.originate.service import OriginateService
from callctl.http.endpoint import ApiCall, Endpoint


def endpoints(service: OriginateService) -> list[Endpoint]:
    async def place_call(call: ApiCall) -> PlacedCall:
        key = call.headers.get("Idempotency-Key")
        return await service.place(call.actor, call.body, key)

    return [
        Endpoint(
            "POST",
            "/api/v1/calls",
            "Ring an extension and let it dial a number, the party of a call or a client; an "
            "Idempotency-Key header makes repeating it safe",
            "calls",
            Scope.CALLS_PLACE,
            place_call,
            PlacedCall,
            body=PlaceCall,
            body_example=PlaceCall("101", "+36 1 234 5678"),
            status=202,
            errors=(
                "not_found",
                "idempotency_conflict",
                "asterisk_unavailable",
                "call_failed",
                "call_uncertain",
            ),
        )
    ]
