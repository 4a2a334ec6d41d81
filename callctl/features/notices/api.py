"""``/api/v1/notices``."""

from callctl.core.permissions import Scope
from callctl.features.notices.model import Acknowledge, ReviewFilters, ReviewNotice
from callctl.features.notices.service import NoticeService
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Endpoint, Page

_PATH = "/api/v1/notices"


def endpoints(service: NoticeService) -> list[Endpoint]:
    async def list_notices(call: ApiCall) -> object:
        return await service.list_notices(call.actor.calls, call.query)

    async def acknowledge(call: ApiCall) -> object:
        actor = call.actor
        return await service.acknowledge(actor.calls, path_id(call.path), call.body, actor.author)

    return [
        Endpoint(
            "GET", _PATH, "What a person should look at, the newest first", "notices",
            Scope.CALLS_READ, list_notices, Page[ReviewNotice], query=ReviewFilters,
        ),
        Endpoint(
            "POST", f"{_PATH}/{{id}}/acknowledge", "Say that one has looked at it", "notices",
            Scope.CALLS_ANNOTATE, acknowledge, ReviewNotice, body=Acknowledge,
            body_example=Acknowledge("Spoke with 201"),
            errors=("not_found", "conflict"),
        ),
    ]  # fmt: skip
