"""``/api/v1/limits``: what is used, what is held, what was told."""

from callctl.core.permissions import Scope
from callctl.features.limits.model import (
    Approve,
    HoldFilters,
    HoldView,
    NoticeFilters,
    NoticeView,
    Refuse,
    StatusView,
)
from callctl.features.limits.service import LimitService
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Endpoint, Page

_TAG = "limits"
_PATH = "/api/v1/limits"


def endpoints(service: LimitService) -> list[Endpoint]:
    async def status(call: ApiCall) -> object:
        return service.status(call.actor.calls)

    async def holds(call: ApiCall) -> object:
        return await service.list_holds(call.actor.calls, call.query)

    async def approve(call: ApiCall) -> object:
        actor = call.actor
        return await service.approve(actor.calls, path_id(call.path), call.body, actor.author)

    async def refuse(call: ApiCall) -> object:
        actor = call.actor
        return await service.refuse(actor.calls, path_id(call.path), call.body, actor.author)

    async def notices(call: ApiCall) -> object:
        return await service.list_notices(call.actor.calls, call.query)

    read, decide = Scope.LIMITS_READ, Scope.LIMITS_APPROVE
    found = ("not_found",)
    return [
        Endpoint(
            "GET", _PATH, "What is used of the limits of calls outside", _TAG, read, status,
            StatusView,
        ),
        Endpoint(
            "GET", f"{_PATH}/holds", "Calls held for approval, the newest first", _TAG, read, holds,
            Page[HoldView], query=HoldFilters,
        ),
        Endpoint(
            "POST", f"{_PATH}/holds/{{id}}/approve", "Let such calls pass for a while", _TAG,
            decide, approve, HoldView, body=Approve, body_example=Approve(hours=2), errors=found,
        ),
        Endpoint(
            "POST", f"{_PATH}/holds/{{id}}/refuse",
            "Keep such calls held and ask no more; ends an approval too", _TAG, decide, refuse,
            HoldView, body=Refuse, body_example=Refuse(hours=2), errors=found,
        ),
        Endpoint(
            "GET", f"{_PATH}/notices", "Limits that were passed, the newest first", _TAG, read,
            notices, Page[NoticeView], query=NoticeFilters,
        ),
    ]  # fmt: skip
