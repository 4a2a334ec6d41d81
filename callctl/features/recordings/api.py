"""``/api/v1/recordings/{id}``: the audio itself, in parts where the player asks for parts."""

from aiohttp import web

from callctl.core.permissions import Scope
from callctl.features.recordings.service import RecordingService
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Endpoint


def endpoints(service: RecordingService) -> list[Endpoint]:
    async def get_recording(call: ApiCall) -> object:
        path = await service.find_file(call.actor.calls, path_id(call.path))
        # FileResponse answers Range and If-Modified-Since by itself (RFC 9110).
        return web.FileResponse(
            path,
            headers={
                "Content-Type": "audio/wav",
                "Content-Disposition": f'inline; filename="{path.name}"',
                "Cache-Control": "private, max-age=3600",
            },
        )

    return [
        Endpoint(
            "GET",
            "/api/v1/recordings/{id}",
            "The audio of a recording (WAV, left the caller, right the called); Range is answered",
            "recordings",
            Scope.RECORDINGS_READ,
            get_recording,
            web.FileResponse,
            errors=("not_found", "range_not_satisfiable"),
            content_type="audio/wav",
        ),
    ]
