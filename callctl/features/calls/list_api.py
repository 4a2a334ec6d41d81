"""``/api/v1/display-hints`` and ``/api/v1/saved-filters``: what goes with the call list."""

from callctl.core.permissions import Scope
from callctl.db.pool import Database
from callctl.features.calls.hints import DisplayHints, DisplayHintsView, HintRule, HintService
from callctl.features.calls.model import (
    CallFilters,
    NewSavedFilter,
    SavedFilterChange,
    SavedFilterFilters,
    SavedFilterView,
)
from callctl.features.calls.saved_filters import SavedFilterService
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Empty, Endpoint, Page

_READ, _SETTINGS = Scope.CALLS_READ, Scope.SETTINGS_WRITE
_HINTS, _SAVED = "/api/v1/display-hints", "/api/v1/saved-filters"
_ONE = f"{_SAVED}/{{id}}"
_LOST = NewSavedFilter("Incoming, unanswered", CallFilters(missed=True, direction="inbound"))
_BRIGHT = DisplayHints([HintRule("blue", "star", "inbound", "ANSWERED")])


def list_endpoints(db: Database) -> list[Endpoint]:
    return [*_hint_endpoints(HintService(db)), *_saved_endpoints(SavedFilterService(db))]


def _hint_endpoints(hints: HintService) -> list[Endpoint]:
    async def get(call: ApiCall) -> object:
        return await hints.get(call.actor.account_id)

    async def put(call: ApiCall) -> object:
        return await hints.save(call.actor.account_id, call.body, call.actor.author)

    return [
        Endpoint(
            "GET", _HINTS, "In which colour and with which icon calls are shown", "calls", _READ,
            get, DisplayHintsView,
        ),
        Endpoint(
            "PUT", _HINTS, "Set the account's own rules for colours and icons", "calls", _SETTINGS,
            put, DisplayHintsView, body=DisplayHints, body_example=_BRIGHT,
        ),
    ]  # fmt: skip


def _saved_endpoints(saved: SavedFilterService) -> list[Endpoint]:
    async def list_saved(call: ApiCall) -> object:
        return await saved.list_saved(call.actor, call.query)

    async def create(call: ApiCall) -> object:
        return await saved.create(call.actor, call.body)

    async def get(call: ApiCall) -> object:
        return await saved.get_saved(call.actor, path_id(call.path))

    async def change(call: ApiCall) -> object:
        return await saved.change(call.actor, path_id(call.path), call.body)

    async def delete(call: ApiCall) -> object:
        await saved.delete(call.actor, path_id(call.path))
        return Empty()

    return [
        Endpoint(
            "GET", _SAVED, "One's own saved filters, and those shared with all", "calls", _READ,
            list_saved, Page[SavedFilterView], query=SavedFilterFilters,
        ),
        Endpoint(
            "POST", _SAVED, "Save filters of the call list; to share them needs settings:write",
            "calls", _READ, create, SavedFilterView, body=NewSavedFilter, body_example=_LOST,
            status=201, errors=("already_exists", "conflict"),
        ),
        Endpoint(
            "GET", _ONE, "One saved filter", "calls", _READ, get, SavedFilterView,
            errors=("not_found",),
        ),
        Endpoint(
            "PATCH", _ONE, "Change what is named; of a shared one it needs settings:write", "calls",
            _READ, change, SavedFilterView, body=SavedFilterChange,
            body_example=SavedFilterChange(shared=True),
            errors=("not_found", "already_exists"),
        ),
        Endpoint(
            "DELETE", _ONE, "Delete a saved filter; a shared one needs settings:write", "calls",
            _READ, delete, Empty, status=204, errors=("not_found",),
        ),
    ]  # fmt: skip
