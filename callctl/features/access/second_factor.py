"""The second factor: an authenticator app's codes, and recovery codes for when it is lost."""

from typing import Any

from callctl import secrets
from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.db.audit import record_change
from callctl.db.pool import Database
from callctl.features.access.attempts import AttemptLimiter
from callctl.features.access.totp import enrolment_uri, new_totp_secret, step_of_code
from callctl.telemetry.clock import Clock

RECOVERY_CODES = 10

TOTP_ENROL = """
update users set totp_secret = $2, totp_step = 0
where id = $1 and totp_since is null
returning login
"""

TOTP_OF_USER = "select totp_secret, totp_since from users where id = $1"

# A step counts once, also when two requests bring its code at the same moment.
TOTP_USE = """
update users set totp_step = $2 where id = $1 and totp_secret = $3 and totp_step < $2 returning id
"""

TOTP_START = """
update users set totp_since = now(), changed_at = now()
where id = $1 and totp_secret = $2 and totp_since is null
returning account_id
"""

TOTP_END = """
update users u set totp_secret = null, totp_since = null, totp_step = 0, changed_at = now()
from (select id, totp_since from users where id = $1 for update) old
where u.id = old.id and u.totp_secret is not null
returning u.account_id, old.totp_since is not null as was_in_force
"""

CODES_INSERT = "insert into recovery_codes (user_id, code_hash) select $1, unnest($2::bytea[])"

CODE_USE = "delete from recovery_codes where user_id = $1 and code_hash = $2 returning user_id"

CODES_DELETE = "delete from recovery_codes where user_id = $1"

CODES_LEFT = "select count(*) from recovery_codes where user_id = $1"


class SecondFactor:
    """Of any user. `attempts` throttles guessing by user: who gets here knows the password."""

    def __init__(self, db: Database, attempts: AttemptLimiter, clock: Clock) -> None:
        self._db = db
        self._attempts = attempts
        self._clock = clock

    async def enrol(self, user_id: int) -> tuple[str, str]:
        """A new secret and its URI; it is not in force yet.

        Raises CallctlError("conflict") when the user has a second factor.
        """
        secret = new_totp_secret()
        login = await self._db.fetchval(TOTP_ENROL, user_id, secret)
        if login is None:
            raise CallctlError("conflict", "there is a second factor; give it up first")
        return secret, enrolment_uri(secret, login)

    async def confirm(self, user_id: int, code: str, author: Author) -> list[str]:
        """Put it into force by a first code; the recovery codes.

        Raises CallctlError: `conflict` when nothing waits for a code, `invalid_field` for a wrong
        one, `too_many_attempts`.
        """
        row = await self._db.fetchrow(TOTP_OF_USER, user_id)
        if row["totp_secret"] is None or row["totp_since"] is not None:
            raise CallctlError("conflict", "no second factor waits for its first code")
        if not await self._use_app_code(user_id, row["totp_secret"], code):
            raise CallctlError("invalid_field", "is not the app's code of now", "body.code")
        codes = [secrets.new_recovery_code() for _ in range(RECOVERY_CODES)]
        async with self._db.transaction() as connection:
            account_id = await connection.fetchval(TOTP_START, user_id, row["totp_secret"])
            if account_id is None:
                raise CallctlError("conflict", "no second factor waits for its first code")
            await connection.execute(CODES_DELETE, user_id)
            await connection.execute(CODES_INSERT, user_id, [secrets.digest(c) for c in codes])
            await _record(connection, account_id, user_id, author, on=True)
        return codes

    async def check(self, user_id: int, code: str) -> bool:
        """Whether `code` is right; it is used up then. Raises CallctlError("too_many_attempts")."""
        text = "".join(code.split()).lower().encode("ascii", "replace").decode()
        row = await self._db.fetchrow(TOTP_OF_USER, user_id)
        if row["totp_secret"] is not None and await self._use_app_code(
            user_id, row["totp_secret"], text
        ):
            return True
        used = await self._db.fetchval(CODE_USE, user_id, secrets.digest(text))
        if used is not None:
            self._attempts.take_back(_key(user_id))
        return used is not None

    async def _use_app_code(self, user_id: int, secret: str, code: str) -> bool:
        """Counts as a failed attempt unless it is right."""
        self._attempts.begin(_key(user_id))
        step = step_of_code(secret, "".join(code.split()), self._clock())
        if step is None or await self._db.fetchval(TOTP_USE, user_id, step, secret) is None:
            return False
        self._attempts.take_back(_key(user_id))
        return True

    async def count_codes(self, user_id: int) -> int:
        """Recovery codes that are left."""
        left: int = await self._db.fetchval(CODES_LEFT, user_id)
        return left


async def remove_second_factor(connection: Any, user_id: int, author: Author) -> None:
    """Inside the caller's transaction. One that is not there is fine."""
    row = await connection.fetchrow(TOTP_END, user_id)
    await connection.execute(CODES_DELETE, user_id)
    if row is not None and row["was_in_force"]:
        await _record(connection, row["account_id"], user_id, author, on=False)


async def _record(
    connection: Any, account_id: int, user_id: int, author: Author, *, on: bool
) -> None:
    await record_change(
        connection, account_id, author, "user.second_factor", f"user:{user_id}",
        {"second_factor": not on}, {"second_factor": on},
    )  # fmt: skip


def _key(user_id: int) -> str:
    return f"code {user_id}"
