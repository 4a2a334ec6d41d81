"""The table of interventions: written before Asterisk is told, finished when it has answered."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from callctl.core.author import Author
from callctl.core.calls.interventions import InterventionKind
from callctl.core.errors import CallctlError
from callctl.core.orders import OrderState
from callctl.db.audit import record_change
from callctl.db.pool import Database
from callctl.features.interventions.model import InterventionView
from callctl.http.endpoint import Actor

_COLUMNS = "id, call_id, kind, extension, target, author, state, detail, at"

INTERVENTION_INSERT = f"""
insert into interventions (account_id, call_id, kind, extension, target, author, idempotency_key)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (account_id, author, idempotency_key) do nothing
returning {_COLUMNS}
"""  # noqa: S608 - constants of this file

INTERVENTION_BY_KEY = f"""
select {_COLUMNS} from interventions
where account_id = $1 and author = $2 and idempotency_key = $3
"""  # noqa: S608

INTERVENTION_FINISH = """
update interventions set state = $2, detail = $3 where id = $1 and state = 'sending'
"""

INTERVENTION_FORGET = "delete from interventions where id = $1 and state = 'sending'"

_ACTIONS = {
    InterventionKind.HANG_UP: "call.hung_up",
    InterventionKind.TRANSFER: "call.transferred",
    InterventionKind.LISTEN: "call.listened",
    InterventionKind.WHISPER: "call.whispered",
    InterventionKind.BARGE: "call.barged",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """An intervention before it is one."""

    account_id: int
    call_id: str
    kind: InterventionKind
    extension: str | None
    target: str | None
    author: Author
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Intervention:
    """One row."""

    id: int
    call_id: str
    kind: InterventionKind
    extension: str | None
    target: str | None
    author: str
    state: OrderState
    detail: str
    at: datetime

    def is_of(self, wanted: Wanted) -> bool:
        """Whether it is what is wanted now."""
        asked = (wanted.call_id, wanted.kind, wanted.extension, wanted.target)
        return asked == (self.call_id, self.kind, self.extension, self.target)

    def is_order(self, call_id: str, mode: str, extension: str | None) -> bool:
        """Whether it is what was ordered, whoever was chosen to be heard where nobody was named."""
        return (
            self.call_id == call_id
            and self.kind.value == mode
            and extension in (None, self.extension)
        )

    def view(self) -> InterventionView:
        return InterventionView(
            self.id, self.call_id, self.kind, self.extension, self.target, self.author, self.at
        )


class InterventionStore:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def begin(self, wanted: Wanted) -> Intervention | None:
        """The new row, with its line of the audit log; None when the author has one of that key."""
        async with self._db.transaction() as connection:
            row = await connection.fetchrow(
                INTERVENTION_INSERT, wanted.account_id, wanted.call_id, wanted.kind.value,
                wanted.extension, wanted.target, wanted.author.name, wanted.key,
            )  # fmt: skip
            if row is None:
                return None
            after = {"extension": wanted.extension, "target": wanted.target}
            await record_change(
                connection, wanted.account_id, wanted.author, _ACTIONS[wanted.kind],
                f"live_call:{wanted.call_id}", None, after,
            )  # fmt: skip
        return _intervention(row)

    async def find_by_key(self, actor: Actor, key: str) -> Intervention | None:
        """The one that the actor has named so before."""
        row = await self._db.fetchrow(INTERVENTION_BY_KEY, actor.account_id, actor.author.name, key)
        return None if row is None else _intervention(row)

    async def get_by_key(self, wanted: Wanted) -> Intervention:
        """As `find_by_key`. Raises CallctlError("not_found")."""
        row = await self._db.fetchrow(
            INTERVENTION_BY_KEY, wanted.account_id, wanted.author.name, wanted.key
        )
        if row is None:
            raise CallctlError("not_found", "there is no such intervention")
        return _intervention(row)

    async def finish(self, id_: int, state: OrderState, detail: str) -> None:
        await self._db.execute(INTERVENTION_FINISH, id_, state.value, detail)

    async def forget(self, id_: int) -> None:
        """Of what was not sent; its line in the audit log stays."""
        await self._db.execute(INTERVENTION_FORGET, id_)


def _intervention(row: Any) -> Intervention:
    values = dict(row)
    kind, state = InterventionKind(values.pop("kind")), OrderState(values.pop("state"))
    return Intervention(**values, kind=kind, state=state)
