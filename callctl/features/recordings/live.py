"""The recording of a call under way, paused while card numbers are said, and resumed.

Asterisk goes on recording and writes silence: the file keeps its time. What was paused from when to
when is with the call's record.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from callctl.asterisk.ami import AmiClient
from callctl.asterisk.ami_protocol import AmiError, AmiNotConnected, AmiResponse
from callctl.asterisk.orders import require_connection
from callctl.core.calls.ongoing import is_uniqueid
from callctl.core.errors import CallctlError
from callctl.db.audit import record_change
from callctl.db.pool import Database
from callctl.features.recordings.model import PauseState
from callctl.http.endpoint import Actor
from callctl.telemetry.log import get_logger

log = get_logger("recordings")

ADD_PAUSE = """
insert into recording_pauses (account_id, linkedid, paused_at, paused_by)
select $1::bigint, $2::text, $3::timestamptz, $4::text where not exists (
    select 1 from recording_pauses where account_id = $1 and linkedid = $2 and resumed_at is null)
"""
END_PAUSE = """
update recording_pauses set resumed_at = $3, resumed_by = $4
where account_id = $1 and linkedid = $2 and resumed_at is null
"""


@dataclass(frozen=True, slots=True)
class EndpointOwner:
    """Whose a PJSIP endpoint is; `extension` None = a trunk."""

    account_id: int
    extension: str | None


@dataclass(frozen=True, slots=True)
class _Channel:
    name: str
    linkedid: str
    uniqueid: str

    @property
    def endpoint(self) -> str:
        return self.name.removeprefix("PJSIP/").rpartition("-")[0]


class LiveRecordings:
    """Pauses and resumes. `owner_of` is the only thing it knows of the routing."""

    def __init__(
        self, ami: AmiClient, db: Database, owner_of: Callable[[str], EndpointOwner | None]
    ) -> None:
        self._ami = ami
        self._db = db
        self._owner_of = owner_of

    async def set_paused(self, actor: Actor, uniqueid: str, *, paused: bool) -> PauseState:
        """Of every recording of the call that has this channel; doing it twice changes nothing.

        Raises CallctlError: `not_found` (no such call under way, also outside the actor's calls),
        `conflict` (it is not recorded), `asterisk_unavailable`, `call_failed`.
        """
        if not is_uniqueid(uniqueid):
            raise _not_found(uniqueid)
        require_connection(self._ami)
        # The client may go away; what Asterisk does and what is on record belong together.
        return await asyncio.shield(self._set(actor, uniqueid, paused))

    async def _set(self, actor: Actor, uniqueid: str, paused: bool) -> PauseState:
        channels = await self._channels_of_call(uniqueid)
        if not self._may_see(actor, channels):
            raise _not_found(uniqueid)
        recorded = [c for c in channels if await self._is_recorded(c)]
        if not recorded:
            raise CallctlError("conflict", "nothing of this call is being recorded")
        for channel in recorded:
            await self._do(
                "MixMonitorMute", Channel=channel.name, Direction="both", State=str(int(paused))
            )
        at = datetime.now(UTC)
        await self._keep(actor, recorded[0].linkedid, at, paused)
        log.info("recording_paused" if paused else "recording_resumed", uniqueid=uniqueid)
        return PauseState(paused, at, len(recorded))

    async def _keep(self, actor: Actor, linkedid: str, at: datetime, paused: bool) -> None:
        sql, verb = (ADD_PAUSE, "paused") if paused else (END_PAUSE, "resumed")
        async with self._db.transaction() as connection:
            done = await connection.execute(sql, actor.account_id, linkedid, at, actor.name)
            # Paused while it is, it stays as it was.
            if not done.endswith(" 0"):
                await record_change(
                    connection, actor.account_id, actor.author, f"recording.{verb}",
                    f"live_call:{linkedid}",
                )  # fmt: skip

    async def _channels_of_call(self, uniqueid: str) -> list[_Channel]:
        response = await self._do("CoreShowChannels")
        channels = [
            _Channel(e.get("Channel"), e.get("Linkedid"), e.get("Uniqueid"))
            for e in response.events
        ]
        linkedids = {c.linkedid for c in channels if c.uniqueid == uniqueid}
        return [c for c in channels if c.linkedid in linkedids]

    def _may_see(self, actor: Actor, channels: Sequence[_Channel]) -> bool:
        owners = [o for c in channels if (o := self._owner_of(c.endpoint)) is not None]
        inside = {o.extension for o in owners if o.account_id == actor.account_id}
        if actor.extensions is None:
            return bool(inside)
        return not inside.isdisjoint(actor.extensions)

    async def _is_recorded(self, channel: _Channel) -> bool:
        response = await self._ask(
            "Getvar", {"Channel": channel.name, "Variable": "MIXMONITOR_FILENAME"}
        )
        return response.success and bool(response.fields.get("value"))

    async def _do(self, name: str, **fields: str) -> AmiResponse:
        response = await self._ask(name, fields)
        if not response.success:
            raise CallctlError("call_failed", f"Asterisk refused {name}", detail=response.message)
        return response

    async def _ask(self, name: str, fields: dict[str, Any]) -> AmiResponse:
        try:
            return await self._ami.action(name, **fields)
        except AmiNotConnected as error:
            raise CallctlError("asterisk_unavailable", str(error)) from None
        except AmiError as error:
            raise CallctlError("call_failed", f"Asterisk did not answer: {error}") from None


def _not_found(uniqueid: str) -> CallctlError:
    return CallctlError("not_found", f"no call under way has the channel {uniqueid[:80]}")
