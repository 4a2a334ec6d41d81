"""What the audit log keeps of clients."""

from typing import Any

import msgspec

from callctl.db.audit import Values, record_change
from callctl.features.clients.model import ClientView, NewClient
from callctl.http.endpoint import Actor


def values_of(client: ClientView) -> dict[str, Any]:
    """All that people write of a client, its numbers with it."""
    names = NewClient.__struct_fields__
    return {name: msgspec.to_builtins(getattr(client, name)) for name in names}


async def record_client(
    connection: Any,
    actor: Actor,
    verb: str,
    client_id: int,
    before: Values | None,
    after: Values | None,
) -> None:
    """A line about one client, in the transaction of the change."""
    await record(connection, actor, f"client.{verb}", f"client:{client_id}", before, after)


async def record(
    connection: Any,
    actor: Actor,
    action: str,
    subject: str,
    before: Values | None,
    after: Values | None,
) -> None:
    """A line about anything of the actor's account."""
    await record_change(connection, actor.account_id, actor.author, action, subject, before, after)
