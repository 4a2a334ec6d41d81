"""Audio over HTTP, whole or in the part that a player asks for (RFC 9110, 14)."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from aiohttp import web

from callctl.core.errors import CallctlError
from callctl.features.recordings.library import Audio
from callctl.features.recordings.sealed import SealBroken, SealedReader
from callctl.telemetry.log import get_logger

log = get_logger("recordings")

CONTENT_TYPES = {"wav": "audio/wav", "opus": "audio/ogg"}


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `first` to `last` (included); `asked`: the request says so."""

    first: int
    last: int
    asked: bool = False


def part_of(request: web.Request, audio: Audio) -> Part | None:
    """The part that is asked for, the whole where it is not said which.

    None for a part that the audio does not have. A Range that is no Range is left out of account.
    """
    size = audio.size
    whole = Part(0, size - 1)
    condition = request.headers.get("If-Range")
    if "Range" not in request.headers or condition not in (None, etag_of(audio)):
        return whole
    try:
        asked = request.http_range
    except ValueError:
        return None
    start, stop = asked.start, asked.stop
    if start is None:
        return whole
    first = max(0, size + start) if start < 0 else start
    last = size - 1 if stop is None else min(stop, size) - 1
    return Part(first, last, True) if first <= last else None


def etag_of(audio: Audio) -> str:
    return f'"{audio.id}-{audio.format}-{audio.size}"'


async def send_audio(
    request: web.Request, audio: Audio, part: Part, *, download: bool
) -> web.StreamResponse:
    """The answer, already sent where the file is encrypted. Closes `audio`."""
    name = f"{audio.file.removesuffix('.raw')}.{audio.format}"
    headers = {
        "Content-Type": CONTENT_TYPES[audio.format],
        "Content-Disposition": f'{"attachment" if download else "inline"}; filename="{name}"',
        # Asked for again each time, so that each time is on record.
        "Cache-Control": "private, no-cache",
    }
    if audio.sealed is None:
        # Answers Range and If-Modified-Since by itself.
        return web.FileResponse(audio.path, headers=headers)
    try:
        return await _send_sealed(request, audio, audio.sealed, part, headers)
    finally:
        audio.sealed.close()


async def _send_sealed(
    request: web.Request,
    audio: Audio,
    sealed: SealedReader,
    part: Part,
    headers: dict[str, str],
) -> web.StreamResponse:
    response = web.StreamResponse(status=206 if part.asked else 200, headers=headers)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["ETag"] = etag_of(audio)
    if part.asked:
        response.headers["Content-Range"] = f"bytes {part.first}-{part.last}/{audio.size}"
    response.content_length = part.last - part.first + 1
    pieces = sealed.read(part.first, part.last)
    try:
        piece = await asyncio.to_thread(_next, pieces)
        await response.prepare(request)
        while piece is not None and request.method != "HEAD":
            await response.write(piece)
            piece = await asyncio.to_thread(_next, pieces)
    except (SealBroken, OSError) as error:
        if isinstance(error, ConnectionError):
            raise
        log.error("recording_damaged", recording=audio.id, error=str(error))
        if response.prepared:
            # The client must not take what came so far for the whole.
            raise ConnectionError("the recording is damaged") from None
        raise CallctlError(
            "recording_damaged", f"the file of recording {audio.id} cannot be decrypted"
        ) from None
    await response.write_eof()
    return response


def _next(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)
