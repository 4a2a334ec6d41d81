"""``/api/v1/recordings`` and what belongs to them: the audio, its log, settings, holds, pauses."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.features.recordings.library import RecordingLibrary
from callctl.features.recordings.live import LiveRecordings
from callctl.features.recordings.model import (
    AudioQuery,
    LegalHoldFilters,
    LegalHoldView,
    NewLegalHold,
    PauseState,
    RecordingAccessFilters,
    RecordingAccessView,
    RecordingDetail,
    RecordingFilters,
    RecordingSettings,
    RecordingSettingsView,
    RecordingSummary,
)
from callctl.features.recordings.retention import RetentionService
from callctl.features.recordings.serve import part_of, send_audio
from callctl.http.auth import Origin
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Empty, Endpoint, Page

_TAG = "recordings"
_PATH = "/api/v1/recordings"
Handler = Callable[[ApiCall], Awaitable[object]]


def endpoints(
    library: RecordingLibrary,
    retention: RetentionService,
    live: LiveRecordings,
    origin: Origin,
) -> list[Endpoint]:
    return [
        *_library_endpoints(library, origin),
        *_settings_endpoints(library),
        *_hold_endpoints(retention),
        *_live_endpoints(live),
    ]


def _library_endpoints(library: RecordingLibrary, origin: Origin) -> list[Endpoint]:
    async def list_recordings(call: ApiCall) -> object:
        return await library.list_recordings(call.actor, call.query)

    async def details(call: ApiCall) -> object:
        return await library.get_recording(call.actor, path_id(call.path))

    async def audio(call: ApiCall) -> object:
        query: AudioQuery = call.query
        download = query.download is not None
        found = await library.open_audio(call.actor.calls, path_id(call.path), query.format)
        part = part_of(call.raw, found)
        try:
            if part is None:
                raise CallctlError(
                    "range_not_satisfiable", f"the audio has {found.size} bytes", detail=found.size
                )
            address = origin.address_of(call.raw)
            await library.note_access(
                call.actor, found, address, part.first, part.last, download=download
            )
        except BaseException:
            if found.sealed is not None:
                found.sealed.close()
            raise
        return await send_audio(call.raw, found, part, download=download)

    async def accesses(call: ApiCall) -> object:
        return await library.list_accesses(call.actor.calls, call.query)

    def favourite(wanted: bool) -> Handler:
        async def change(call: ApiCall) -> object:
            await library.set_favourite(call.actor, path_id(call.path), wanted=wanted)
            return Empty()

        return change

    read = Scope.RECORDINGS_READ
    found = ("not_found",)
    return [
        Endpoint(
            "GET", _PATH, "Recordings that can be listened to, the newest first", _TAG, read,
            list_recordings, Page[RecordingSummary], query=RecordingFilters,
        ),
        Endpoint(
            "GET", f"{_PATH}/{{id}}",
            "The audio of a recording (left the caller, right the called); Range is answered, each "
            "access is logged, `download=1` ticks *downloaded*",
            _TAG, read, audio, web.FileResponse, query=AudioQuery,
            errors=(*found, "range_not_satisfiable", "recording_damaged",
                    "recording_key_unavailable"),
            content_type="audio/ogg",
        ),
        Endpoint(
            "GET", f"{_PATH}/{{id}}/details", "What is known of a recording but its audio", _TAG,
            read, details, RecordingDetail, errors=found,
        ),
        Endpoint(
            "PUT", f"{_PATH}/{{id}}/favourite", "Put it on one's own list of favourites", _TAG,
            read, favourite(True), Empty, status=204, errors=(*found, "conflict"),
        ),
        Endpoint(
            "DELETE", f"{_PATH}/{{id}}/favourite", "Take it off one's own list", _TAG,
            read, favourite(False), Empty, status=204, errors=(*found, "conflict"),
        ),
        Endpoint(
            "GET", "/api/v1/recording-accesses",
            "Who listened to or downloaded what, the newest first", _TAG, Scope.RECORDINGS_LOG,
            accesses, Page[RecordingAccessView], query=RecordingAccessFilters,
        ),
    ]  # fmt: skip


def _settings_endpoints(library: RecordingLibrary) -> list[Endpoint]:
    async def get(call: ApiCall) -> object:
        return await library.get_settings(call.actor.account_id)

    async def put(call: ApiCall) -> object:
        return await library.save_settings(call.actor, call.body)

    path, manage = "/api/v1/recording-settings", Scope.RECORDINGS_MANAGE
    return [
        Endpoint("GET", path, "How the account's recordings are kept", _TAG, manage, get,
                 RecordingSettingsView),
        Endpoint(
            "PUT", path, "Change how they are kept: format, encryption, for how long", _TAG, manage,
            put, RecordingSettingsView, body=RecordingSettings,
            body_example=RecordingSettings("opus", encrypt=True, recording_days=90),
            errors=("conflict",),
        ),
    ]  # fmt: skip


def _hold_endpoints(retention: RetentionService) -> list[Endpoint]:
    async def hold_call(call: ApiCall) -> object:
        actor, reason = call.actor, call.body.reason
        return await retention.hold_call(actor.calls, path_id(call.path), reason, actor.author)

    async def hold_recording(call: ApiCall) -> object:
        actor, reason = call.actor, call.body.reason
        return await retention.hold_recording(actor.calls, path_id(call.path), reason, actor.author)

    async def release(call: ApiCall) -> object:
        return await retention.release(call.actor.calls, path_id(call.path), call.actor.author)

    async def holds(call: ApiCall) -> object:
        return await retention.list_holds(call.actor.calls, call.query)

    manage, found = Scope.RECORDINGS_MANAGE, ("not_found",)
    return [
        Endpoint(
            "POST", "/api/v1/calls/{id}/hold", "Keep a call and its recordings from being deleted",
            _TAG, manage, hold_call, LegalHoldView, body=NewLegalHold,
            body_example=NewLegalHold("Case 12/2026"),
            status=201, errors=found,
        ),
        Endpoint(
            "POST", f"{_PATH}/{{id}}/hold", "Keep a recording and its call from being deleted",
            _TAG, manage, hold_recording, LegalHoldView, body=NewLegalHold,
            body_example=NewLegalHold("Case 12/2026"),
            status=201,
            errors=(*found, "conflict"),
        ),
        Endpoint(
            "GET", "/api/v1/legal-holds", "What is held, and what was", _TAG, manage, holds,
            Page[LegalHoldView], query=LegalHoldFilters,
        ),
        Endpoint(
            "POST", "/api/v1/legal-holds/{id}/release", "End a hold", _TAG, manage, release,
            LegalHoldView, errors=found,
        ),
    ]  # fmt: skip


def _live_endpoints(live: LiveRecordings) -> list[Endpoint]:
    def setting(paused: bool) -> Handler:
        async def change(call: ApiCall) -> object:
            return await live.set_paused(call.actor, call.path["uniqueid"], paused=paused)

        return change

    errors = ("not_found", "conflict", "asterisk_unavailable", "call_failed")
    path = "/api/v1/calls/live/{uniqueid}/recording"
    control = Scope.RECORDINGS_CONTROL
    return [
        Endpoint(
            "POST", f"{path}/pause", "Record silence, while card numbers are said", _TAG, control,
            setting(True), PauseState, errors=errors,
        ),
        Endpoint(
            "POST", f"{path}/resume", "Record what is said again", _TAG, control, setting(False),
            PauseState, errors=errors,
        ),
    ]  # fmt: skip
