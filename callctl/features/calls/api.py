"""``/api/v1/calls``: the call history for machines."""

from aiohttp import web

from callctl.core.permissions import Scope
from callctl.features.calls.model import CallDetail, CallFilters, CallSummary, NewNote, NoteView
from callctl.features.calls.service import CallService
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Endpoint, Page


def endpoints(service: CallService) -> list[Endpoint]:
    async def list_calls(call: ApiCall) -> object:
        return await service.list_calls(call.actor.calls, call.query)

    async def get_call(call: ApiCall) -> object:
        return await service.get_call(call.actor.calls, path_id(call.path))

    async def get_rows(call: ApiCall) -> object:
        rows = await service.get_journal_rows(call.actor.calls, path_id(call.path))
        return web.Response(body=rows, content_type="text/csv", charset="utf-8")

    async def add_note(call: ApiCall) -> object:
        actor = call.actor
        return await service.add_note(actor.calls, path_id(call.path), call.body, actor.name)

    return [
        Endpoint(
            "GET",
            "/api/v1/calls",
            "The call history, newest first",
            "calls",
            Scope.CALLS_READ,
            list_calls,
            Page[CallSummary],
            query=CallFilters,
        ),
        Endpoint(
            "GET",
            "/api/v1/calls/{id}",
            "One call: attempts, legs, recordings, and why it went where it went",
            "calls",
            Scope.CALLS_READ,
            get_call,
            CallDetail,
            errors=("not_found",),
        ),
        Endpoint(
            "GET",
            "/api/v1/calls/{id}/journal",
            "The journal rows that the record was built from",
            "calls",
            Scope.CALLS_READ,
            get_rows,
            web.Response,
            errors=("not_found",),
            content_type="text/csv",
        ),
        Endpoint(
            "POST",
            "/api/v1/calls/{id}/notes",
            "Write down what a call was about and what came of it",
            "calls",
            Scope.CALLS_ANNOTATE,
            add_note,
            NoteView,
            body=NewNote,
            status=201,
            errors=("not_found",),
        ),
    ]
