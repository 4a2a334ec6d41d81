"""Words of recordings, kept with them: shown, and searched by."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from callctl.core.author import Author
from callctl.core.calls.text import clean_text
from callctl.core.errors import CallctlError
from callctl.db.audit import record_change
from callctl.db.pool import Database
from callctl.features.recordings.model import SpokenView, TranscriptView

_MOST_LETTERS = 80
"""Of one word."""

# An encrypted recording's words would lie open here.
SAVE = """
insert into transcripts (recording, account_id, engine, spoken, text)
select r.id, r.account_id, $3, $4, $5 from recordings r
where r.account_id = $1 and r.id = $2 and r.state = 'available' and r.data_key is null
on conflict (recording) do update
set engine = excluded.engine, spoken = excluded.spoken, text = excluded.text, made_at = now()
returning recording
"""
TRANSCRIPT = "select engine, made_at, spoken from transcripts where recording = $1"
DELETE_TRANSCRIPT = "delete from transcripts where recording = $1"


class Word(msgspec.Struct, frozen=True):
    """Seconds from the beginning of the recording."""

    text: str
    begin: float
    end: float


class Spoken(msgspec.Struct, frozen=True):
    """What a side said in one stretch, in seconds from the beginning of the recording."""

    side: Literal["caller", "called"]
    begin: float
    end: float
    words: list[Word]


async def save_transcript(
    db: Database,
    account_id: int,
    recording: int,
    engine: str,
    said: Sequence[Spoken],
    author: Author,
) -> None:
    """In place of what there was. Raises CallctlError("conflict") for a recording that is
    encrypted, or none that can be listened to."""
    said = [_clean(spoken) for spoken in said]
    text = " ".join(word.text for spoken in said for word in spoken.words)
    async with db.transaction() as connection:
        spoken = msgspec.to_builtins(said)
        saved = await connection.fetchval(SAVE, account_id, recording, engine, spoken, text)
        if saved is None:
            raise CallctlError("conflict", f"words of recording {recording} cannot be kept open")
        after = {"engine": engine, "words": sum(len(spoken.words) for spoken in said)}
        await record_change(
            connection, account_id, author, "recording.transcribed", f"recording:{recording}",
            None, after,
        )  # fmt: skip


async def get_transcript(db: Database, recording: int) -> TranscriptView | None:
    """Of one that the caller has found to be the actor's."""
    row = await db.fetchrow(TRANSCRIPT, recording)
    if row is None:
        return None
    said = msgspec.convert(row["spoken"], list[Spoken])
    views = [SpokenView(s.side, s.begin, s.end, " ".join(w.text for w in s.words)) for s in said]
    return TranscriptView(row["engine"], row["made_at"], views)


def _clean(spoken: Spoken) -> Spoken:
    words = [Word(clean_text(w.text, _MOST_LETTERS), w.begin, w.end) for w in spoken.words]
    return msgspec.structs.replace(spoken, words=[word for word in words if word.text])
