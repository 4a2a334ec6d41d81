"""At which phone a person sits (R003-20): said at sign-in or later, over when the session ends.

It says which phone rings when the person places a call, and nothing else: whose calls one sees goes
by the extension that one has, not by the chair one sits on.
"""

from collections.abc import Callable

from callctl import secrets
from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.db.audit import record_change
from callctl.db.pool import Database

HasExtension = Callable[[int, str], bool]
"""(account, number) → whether the routing has such an extension."""

BOUND = "select extension from phone_bindings where user_id = $1"

# What a session left that nobody has swept yet is free.
UNBIND = """
delete from phone_bindings b
where b.user_id = $1 or b.account_id = $2 and b.extension = $3 and exists (
    select from sessions s where s.id = b.session and s.expires_at <= now())
"""

# Another's own extension is theirs; two at once are told apart by the unique indexes.
BIND = """
insert into phone_bindings (account_id, extension, user_id, session)
select u.account_id, $3, u.id, s.id from sessions s join users u on u.id = s.user_id
where u.id = $1 and s.token_hash = $2 and s.expires_at > now() and u.active and not exists (
    select from users o where o.account_id = u.account_id and o.extension = $3 and o.active
       and o.id <> u.id)
on conflict do nothing returning extension
"""


class Phones:
    def __init__(self, db: Database, has_extension: HasExtension) -> None:
        self._db = db
        self._has_extension = has_extension

    async def sit(
        self, account_id: int, user_id: int, extension: str | None, session: str, author: Author
    ) -> None:
        """Sit at the phone of `extension`, or at none, until `session` (its secret) ends.

        Raises CallctlError: `invalid_field` (no such extension), `conflict` (it is another's, or
        another person sits there).
        """
        if extension is not None and not self._has_extension(account_id, extension):
            raise CallctlError("invalid_field", f"no extension {extension}", "body.extension")
        async with self._db.transaction() as connection:
            before = {"phone": await connection.fetchval(BOUND, user_id)}
            await connection.execute(UNBIND, user_id, account_id, extension or "")
            if extension is not None:
                digest = secrets.digest(session)
                bound = await connection.fetchval(BIND, user_id, digest, extension)
                if bound is None:
                    raise CallctlError(
                        "conflict", f"{extension} is another's, or another person sits there"
                    )
            await record_change(
                connection, account_id, author, "user.seated", f"user:{user_id}", before,
                {"phone": extension},
            )  # fmt: skip
