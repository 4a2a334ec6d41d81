"""``GET /api/v1/devices``."""

from callctl.core.permissions import Scope
from callctl.features.devices.model import DevicesView
from callctl.features.devices.service import DeviceService
from callctl.http.endpoint import ApiCall, Endpoint


def endpoints(service: DeviceService) -> list[Endpoint]:
    async def devices(call: ApiCall) -> object:
        return service.view(call.actor.calls)

    return [
        Endpoint(
            "GET", "/api/v1/devices", "Whether phones and trunks can be reached now", "calls",
            Scope.CALLS_READ, devices, DevicesView,
        ),
    ]  # fmt: skip
