"""POST /api/v1/calls."""

from callctl.core.permissions import Scope
from callctl.features.originate.model import PlaceCall, PlacedCall
from callctl.features.originate.service import OriginateService
from callctl.http.endpoint import ApiCall, Endpoint


def endpoints(service: OriginateService) -> list[Endpoint]:
    async def place_call(call: ApiCall) -> PlacedCall:
        key = call.request_key.key if call.request_key else None
        return await service.place(call.actor, call.body, key)

    return [
        Endpoint(
            "POST",
            "/api/v1/calls",
            "Ring an extension and let it dial a number, the party of a call or a client",
            "calls",
            Scope.CALLS_PLACE,
            place_call,
            PlacedCall,
            body=PlaceCall,
            body_example=PlaceCall("101", "+36 1 234 5678"),
            status=202,
            idempotent=True,
            errors=(
                "not_found",
                "package_required",
                "asterisk_unavailable",
                "call_failed",
                "call_uncertain",
            ),
        )
    ]
