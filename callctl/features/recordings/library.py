"""Recordings that are in their place: listed, opened, logged, kept as favourites.

Every method takes who asks; what lies outside the calls that the actor may see does not exist.
"""

import asyncio
import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from callctl.core.errors import CallctlError
from callctl.core.scope import CallScope
from callctl.db.audit import record_change
from callctl.db.pool import Database, Reads
from callctl.features.recordings import store
from callctl.features.recordings.keys import Keyring
from callctl.features.recordings.model import (
    FiguresView,
    Format,
    LegalHoldView,
    OutlineView,
    PauseView,
    RecordingAccessFilters,
    RecordingAccessView,
    RecordingDetail,
    RecordingFilters,
    RecordingSettings,
    RecordingSettingsView,
    RecordingSummary,
)
from callctl.features.recordings.places import is_file_inside
from callctl.features.recordings.retention import HOLDS_OF_RECORDING
from callctl.features.recordings.sealed import SealBroken, SealedReader, open_sealed
from callctl.features.recordings.transcripts import get_transcript
from callctl.http.endpoint import Actor, Page
from callctl.telemetry.log import get_logger

log = get_logger("recordings")

_FIGURES = tuple(field.name for field in msgspec.structs.fields(FiguresView))


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class Audio:
    """The audio of a recording in one format. `size`: of it, in bytes, before encryption.

    `sealed` must be closed by who asked for it; None: the file at `path` is the audio itself.
    """

    id: int
    call: int
    file: str
    path: Path
    format: Format
    size: int
    sealed: SealedReader | None


class RecordingLibrary:
    """Reads recordings below `root`."""

    def __init__(self, db: Database, root: Path, keys: Keyring) -> None:
        self._db = db
        self._root = root
        self._keys = keys

    async def list_recordings(
        self, actor: Actor, filters: RecordingFilters
    ) -> Page[RecordingSummary]:
        """The newest first. Raises CallctlError("invalid_field")."""
        if filters.since and filters.until and filters.since > filters.until:
            raise CallctlError("invalid_field", "the period ends before it starts", "query.until")
        cursor = _read_cursor(filters.cursor)
        rows = await self._db.fetch(
            store.LIST_RECORDINGS,
            *_who(actor),
            filters.since,
            filters.until,
            filters.direction,
            filters.extension,
            _digits(filters.number),
            filters.min_seconds,
            filters.max_seconds,
            filters.downloaded,
            filters.favourite,
            filters.held,
            filters.analysed,
            filters.min_silence_share,
            filters.max_silence_share,
            filters.min_interruptions,
            filters.min_monologue,
            filters.min_first_word,
            filters.max_first_word,
            cursor.at if cursor else None,
            cursor.id if cursor else None,
            filters.limit + 1,
            filters.client,
            filters.group,
            filters.time_since,
            filters.time_until,
            filters.text,
        )
        items = [RecordingSummary(**_with_figures(row)) for row in rows[: filters.limit]]
        more = len(rows) > filters.limit
        return Page(items, _write_cursor(items[-1]) if more else None)

    async def get_recording(self, actor: Actor, id_: int) -> RecordingDetail:
        """Raises CallctlError("not_found")."""
        row = await self._db.fetchrow(store.GET_RECORDING, *_who(actor), id_)
        if row is None:
            raise _not_found(id_)
        fields = _with_figures(row)
        caller, called = fields.pop("outline_caller"), fields.pop("outline_called")
        pauses = await self._db.fetch(
            store.PAUSES_OF_CALL, actor.account_id, fields.pop("linkedids")
        )
        holds = await self._db.fetch(HOLDS_OF_RECORDING, actor.account_id, row["call"], id_)
        return RecordingDetail(
            **fields,
            transcript=await get_transcript(self._db, id_),
            outline=None if caller is None else OutlineView(list(caller), list(called)),
            pauses=[PauseView(**dict(p)) for p in pauses],
            holds=[LegalHoldView(**dict(h)) for h in holds],
        )

    async def open_audio(self, scope: CallScope, id_: int, format_: Format | None = None) -> Audio:
        """Its file, opened where it is encrypted.

        Raises CallctlError: `not_found`, also outside the scope and for a format that there is
        none in; `recording_key_unavailable`, `recording_damaged`.
        """
        row = await self._db.fetchrow(store.GET_AUDIO, scope.account_id, _extensions(scope), id_)
        if row is None:
            raise _not_found(id_)
        place, kind, size = row["path"], row["format"], row["bytes"]
        if format_ == "wav" and row["wav_path"] is not None:
            place, kind, size = row["wav_path"], "wav", row["wav_bytes"]
        if format_ not in (None, kind):
            raise CallctlError("not_found", f"there is no {format_} of recording {id_}")
        path = self._root / place
        if not await asyncio.to_thread(is_file_inside, self._root, path):
            raise CallctlError("not_found", f"the file of recording {id_} is gone")
        sealed = None
        if row["data_key"] is not None:
            sealed = await self._unseal(id_, path, row["data_key"])
            size = sealed.size
        return Audio(row["id"], row["call"], row["file"], path, kind, size, sealed)

    async def _unseal(self, id_: int, path: Path, key_id: int) -> SealedReader:
        key = await self._keys.key_for_reading(key_id)
        try:
            return await asyncio.to_thread(open_sealed, path, key)
        except (SealBroken, OSError) as error:
            log.error("recording_damaged", recording=id_, error=str(error))
            raise CallctlError(
                "recording_damaged", f"the file of recording {id_} cannot be decrypted"
            ) from None

    async def note_access(
        self,
        actor: Actor,
        audio: Audio,
        address: str,
        first: int,
        last: int,
        *,
        download: bool,
    ) -> None:
        """Who has which bytes (`first` to `last`), written before they have them (R001-21)."""
        kind = "downloaded" if download else "listened"
        async with self._db.transaction() as connection:
            await connection.execute(
                store.ADD_ACCESS,
                actor.account_id,
                audio.id,
                audio.call,
                audio.file,
                kind,
                actor.user_id,
                actor.name,
                address,
                audio.format,
                first,
                last,
            )
            if download:
                await connection.execute(store.MARK_DOWNLOADED, audio.id, actor.name)

    async def list_accesses(
        self, scope: CallScope, filters: RecordingAccessFilters
    ) -> Page[RecordingAccessView]:
        """Who listened to what, the newest first."""
        rows = await self._db.fetch(
            store.LIST_ACCESSES,
            scope.account_id,
            _extensions(scope),
            filters.recording,
            filters.kind,
            filters.cursor,
            filters.limit + 1,
        )
        items = [RecordingAccessView(**dict(row)) for row in rows[: filters.limit]]
        return Page(items, str(items[-1].id) if len(rows) > filters.limit else None)

    async def set_favourite(self, actor: Actor, id_: int, *, wanted: bool) -> None:
        """On or off the person's own list (R003-94), which gives no right to listen.

        Raises CallctlError: `not_found`, `conflict` for a token, which is no person.
        """
        if actor.user_id is None:
            raise CallctlError("conflict", "a token has no favourites: sign in as a person")
        if not wanted:
            await self._db.execute(store.REMOVE_FAVOURITE, actor.user_id, id_)
        elif await self._db.fetchval(store.ADD_FAVOURITE, *_who(actor), id_) is None:
            raise _not_found(id_)

    async def get_settings(self, account_id: int) -> RecordingSettingsView:
        return await _settings(self._db, account_id)

    async def save_settings(self, actor: Actor, body: RecordingSettings) -> RecordingSettingsView:
        """From the next recording on. Raises CallctlError("conflict") without a master key."""
        if body.encrypt:
            await self._check_key(actor.account_id)
        async with self._db.transaction() as connection:
            await connection.execute(store.LOCK_ACCOUNT, actor.account_id)
            before = await _settings(connection, actor.account_id)
            await connection.execute(
                store.SAVE_SETTINGS, actor.account_id, body.format, body.encrypt,
                body.recording_days, body.call_days, actor.name,
            )  # fmt: skip
            await record_change(
                connection, actor.account_id, actor.author, "recording_settings.changed",
                "recording_settings", _written(before), _written(body),
            )  # fmt: skip
            return await _settings(connection, actor.account_id)

    async def _check_key(self, account_id: int) -> None:
        try:
            await self._keys.key_for_writing(account_id)
        except CallctlError as error:
            if error.code != "recording_key_unavailable":
                raise
            raise CallctlError("conflict", f"nothing can be encrypted: {error.message}") from None


async def _settings(db: Reads, account_id: int) -> RecordingSettingsView:
    row = await db.fetchrow(store.GET_SETTINGS, account_id)
    if row is None:
        return RecordingSettingsView(None, False, 0, 0, None, None)
    return RecordingSettingsView(**dict(row))


def _written(settings: RecordingSettings | RecordingSettingsView) -> dict[str, Any]:
    """What people write of them."""
    return {name: getattr(settings, name) for name in RecordingSettings.__struct_fields__}


def _not_found(id_: int) -> CallctlError:
    return CallctlError("not_found", f"there is no recording {id_}")


def _extensions(scope: CallScope) -> list[str] | None:
    return None if scope.extensions is None else list(scope.extensions)


def _who(actor: Actor) -> tuple[int, list[str] | None, int | None]:
    return actor.account_id, _extensions(actor.calls), actor.user_id


def _with_figures(row: Any) -> dict[str, Any]:
    fields = dict(row)
    figures = {name: fields.pop(name) for name in _FIGURES}
    analysed = fields.pop("analysed") is not None
    return fields | {"figures": FiguresView(**figures) if analysed else None}


def _digits(part: str | None) -> str | None:
    """A part of a number; separators in it do not count."""
    if part is None:
        return None
    wanted = "".join(c for c in part if c not in " -()./")
    if not wanted:
        raise CallctlError("invalid_field", "no digit to search for", "query.number")
    return wanted


def _write_cursor(last: RecordingSummary) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(_Cursor(last.started_at, last.id))).decode()


def _read_cursor(text: str | None) -> _Cursor | None:
    if text is None:
        return None
    try:
        raw = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(raw, type=_Cursor)
    except (binascii.Error, UnicodeEncodeError, msgspec.MsgspecError, ValueError):
        raise CallctlError("invalid_field", "not a cursor of this list", "query.cursor") from None
    if cursor.at.tzinfo is None or abs(cursor.id) >= 1 << 63:
        raise CallctlError("invalid_field", "not a cursor of this list", "query.cursor")
    return cursor
