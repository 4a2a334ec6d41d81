"""``/api/v1/system/alarms``."""

from callctl.core.permissions import Scope
from callctl.features.checks.model import AlarmFilters, AlarmView
from callctl.features.checks.service import AlarmService
from callctl.http.endpoint import ApiCall, Endpoint, Page


def endpoints(service: AlarmService) -> list[Endpoint]:
    async def list_alarms(call: ApiCall) -> object:
        filters: AlarmFilters = call.query
        return await service.list_alarms(filters)

    return [
        Endpoint(
            "GET",
            "/api/v1/system/alarms",
            "What callctl found wrong with itself, Asterisk and the disks; the newest first",
            "system",
            Scope.SYSTEM_READ,
            list_alarms,
            Page[AlarmView],
            query=AlarmFilters,
        )
    ]
