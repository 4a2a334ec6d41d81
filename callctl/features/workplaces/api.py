"""``/api/v1/workplaces``."""

from callctl.core.permissions import Scope
from callctl.features.workplaces.model import (
    NewWorkplace,
    WorkplaceChange,
    WorkplaceList,
    WorkplaceView,
)
from callctl.features.workplaces.service import WorkplaceService
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Empty, Endpoint

_TAG = "calls"
_PATH = "/api/v1/workplaces"
_ONE = f"{_PATH}/{{id}}"


def endpoints(service: WorkplaceService) -> list[Endpoint]:
    async def list_places(call: ApiCall) -> object:
        return await service.list_places(call.actor.calls)

    async def create(call: ApiCall) -> object:
        return await service.create(call.actor, call.body)

    async def arrange(call: ApiCall) -> object:
        return await service.arrange(call.actor)

    async def change(call: ApiCall) -> object:
        return await service.change(call.actor, path_id(call.path), call.body)

    async def delete(call: ApiCall) -> object:
        await service.delete(call.actor, path_id(call.path))
        return Empty()

    write = Scope.SETTINGS_WRITE
    return [
        Endpoint(
            "GET", _PATH, "The map of workstations", _TAG, Scope.CALLS_READ, list_places,
            WorkplaceList,
        ),
        Endpoint(
            "POST", _PATH, "Put a place on the map", _TAG, write, create, WorkplaceView,
            body=NewWorkplace, body_example=NewWorkplace(0, 0, "by the window", "701"), status=201,
            errors=("already_exists",),
        ),
        Endpoint(
            "POST", f"{_PATH}/arrange", "Give every extension without a place one, in rows", _TAG,
            write, arrange, WorkplaceList,
        ),
        Endpoint(
            "PATCH", _ONE, "Move a place, or change its label or extension", _TAG, write, change,
            WorkplaceView, body=WorkplaceChange, body_example=WorkplaceChange(x=3),
            errors=("not_found", "already_exists"),
        ),
        Endpoint(
            "DELETE", _ONE, "Take a place off the map", _TAG, write, delete, Empty, status=204,
            errors=("not_found",),
        ),
    ]  # fmt: skip
