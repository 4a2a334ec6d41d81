"""``/api/v1/calls``: the call history for machines."""

from datetime import UTC, datetime

from aiohttp import web

from callctl.core.permissions import Scope
from callctl.features.calls.list_api import list_endpoints
from callctl.features.calls.model import CallDetail, CallFilters, CallSummary, NewNote, NoteView
from callctl.features.calls.service import CallService
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Endpoint, Page

_CALL = CallSummary(
    id=12,
    call_id="callctl-1795361482.0",
    direction="inbound",
    disposition="ANSWERED",
    missed=False,
    from_number="+36201234567",
    from_name="Alice Adams",
    to_number="+3617000001",
    customer_number="+36201234567",
    extension=None,
    answered_by="202",
    destination_number="202",
    tried=["201 NOANSWER", "202 ANSWER"],
    started_at=datetime(2026, 11, 22, 8, 0, 0, tzinfo=UTC),
    answered_at=datetime(2026, 11, 22, 8, 0, 24, tzinfo=UTC),
    ended_at=datetime(2026, 11, 22, 8, 1, 25, tzinfo=UTC),
    wait_seconds=24.0,
    talk_seconds=61.0,
    total_seconds=85.0,
    has_recording=True,
    recording_downloaded_at=None,
    recording_downloaded_by=None,
    completeness="complete",
    trunk="carrier",
    did="+3617000001",
    route="did:+3617000001",
    too_long=False,
    too_long_seconds=None,
    too_long_cost=None,
    changed_at=datetime(2026, 11, 22, 8, 1, 28, tzinfo=UTC),
    client_id=7,
    client_name="Alice Adams",
    client_type="potential",
    client_type_now="VIP",
    problem="No dial tone",
    solution="New cable",
    cost=None,
    currency=None,
    cost_reason=None,
)


def endpoints(service: CallService) -> list[Endpoint]:
    async def list_calls(call: ApiCall) -> object:
        return await service.list_calls(call.actor.calls, call.query)

    async def get_call(call: ApiCall) -> object:
        supervision = Scope.CALLS_LISTEN in call.actor.scopes
        return await service.get_call(call.actor.calls, path_id(call.path), supervision=supervision)

    async def get_rows(call: ApiCall) -> object:
        rows = await service.get_journal_rows(call.actor.calls, path_id(call.path))
        return web.Response(body=rows, content_type="text/csv", charset="utf-8")

    async def add_note(call: ApiCall) -> object:
        actor = call.actor
        return await service.add_note(actor.calls, path_id(call.path), call.body, actor.author)

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
            example=Page([_CALL], None),
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
            body_example=NewNote("No dial tone", "New cable"),
            status=201,
            errors=("not_found",),
        ),
        *list_endpoints(service.db),
    ]
