"""What whoever is signed in does to themselves: profile, password, second factor, sessions."""

from typing import Any

from callctl import secrets
from callctl.core.errors import CallctlError
from callctl.core.names import tidy_name
from callctl.db.audit import record_change
from callctl.features.access import store
from callctl.features.access.attempts import AttemptLimiter
from callctl.features.access.model import (
    Disable,
    Enrolment,
    PasswordChange,
    PhoneChange,
    ProfileChange,
    ProfileView,
    RecoveryCodes,
    SessionList,
)
from callctl.features.access.phones import Phones
from callctl.features.access.second_factor import SecondFactor, remove_second_factor
from callctl.features.access.store import AccessStore, User
from callctl.http.endpoint import Actor
from callctl.telemetry.log import get_logger

log = get_logger("callctl.access")

MOST_SESSIONS = 200
"""Shown of one person: the newest."""

PROFILE = """
select u.id, a.code as account, u.login, u.name, u.email, u.employee_number, u.extension,
       (select b.extension from phone_bindings b join sessions s on s.id = b.session
        where b.user_id = u.id and s.expires_at > now()) as phone, u.role,
       g.name as "group", u.totp_since is not null as second_factor
from users u join accounts a on a.id = u.account_id left join groups g on g.id = u.group_id
where u.id = $1
"""

NAME_LOCK = "select name from users where id = $1 for update"

NAME_SET = "update users set name = $2, changed_at = now() where id = $1"

# The password that was checked must still be the one there is.
CHANGE_OWN = """
update users set password_hash = $2, changed_at = now()
where id = $1 and active and password_hash = $3
returning account_id
"""


class Profile:
    """Every method takes the actor of a session. A token is no person: `not_found`."""

    def __init__(
        self,
        access_store: AccessStore,
        passwords: secrets.Passwords,
        attempts: AttemptLimiter,
        second_factor: SecondFactor,
        phones: Phones,
    ) -> None:
        self._store = access_store
        self._passwords = passwords
        self._attempts = attempts
        self._second_factor = second_factor
        self._phones = phones

    async def get(self, actor: Actor) -> ProfileView:
        user_id = _person(actor)
        async with self._store.transaction() as connection:
            row = await connection.fetchrow(PROFILE, user_id)
        return ProfileView(
            **row,
            scopes=sorted(actor.scopes),
            extensions=None if actor.extensions is None else list(actor.extensions),
            recovery_codes=await self._second_factor.count_codes(user_id),
        )

    async def change(self, actor: Actor, change: ProfileChange) -> ProfileView:
        """Raises CallctlError("invalid_field") for a name that cannot be one."""
        user_id = _person(actor)
        try:
            name = tidy_name(change.name)
        except ValueError as error:
            raise CallctlError("invalid_field", str(error), "body.name") from None
        async with self._store.transaction() as connection:
            before = {"name": await connection.fetchval(NAME_LOCK, user_id)}
            await connection.execute(NAME_SET, user_id, name)
            await record_change(
                connection, actor.account_id, actor.author, "user.changed", f"user:{user_id}",
                before, {"name": name},
            )  # fmt: skip
        return await self.get(actor)

    async def sit(self, actor: Actor, change: PhoneChange, session: str) -> ProfileView:
        """Raises CallctlError: `invalid_field`, `conflict`, as `Phones.sit`."""
        user_id = _person(actor)
        await self._phones.sit(actor.account_id, user_id, change.extension, session, actor.author)
        return await self.get(actor)

    async def change_password(
        self, actor: Actor, change: PasswordChange, session: str
    ) -> tuple[str, int]:
        """Ends all other sessions; the new secret of this one, and its age left in seconds.

        Raises CallctlError: `invalid_field` (`current` is wrong, or `new` is the same),
        `too_many_attempts`, `unauthenticated` (the session has ended meanwhile).
        """
        user = await self._require_password(actor, change.current, "body.current")
        if change.new == change.current:
            raise CallctlError("invalid_field", "is the password that there is", "body.new")
        password_hash = await self._passwords.hash(change.new)
        async with self._store.transaction() as connection:
            account_id = await connection.fetchval(
                CHANGE_OWN, user.id, password_hash, user.password_hash
            )
            if account_id is None:
                raise CallctlError("conflict", "the password was changed meanwhile")
            renewed = await self._renew(connection, user.id, session)
            await connection.execute(store.SESSIONS_END, user.id, secrets.digest(renewed[0]))
            await record_change(
                connection, account_id, actor.author, "user.password_changed", f"user:{user.id}"
            )
        log.info("password_changed", login=actor.name)
        return renewed

    # The second factor

    async def enrol(self, actor: Actor, password: str) -> Enrolment:
        """Raises CallctlError: `invalid_field`, `conflict`, `too_many_attempts`."""
        user = await self._require_password(actor, password, "body.password")
        return Enrolment(*await self._second_factor.enrol(user.id))

    async def confirm(
        self, actor: Actor, code: str, session: str
    ) -> tuple[RecoveryCodes, tuple[str, int]]:
        """The second factor is in force; this session has a new secret.

        Raises CallctlError: `invalid_field`, `conflict`, `too_many_attempts`, `unauthenticated`.
        """
        user_id = _person(actor)
        codes = await self._second_factor.confirm(user_id, code, actor.author)
        async with self._store.transaction() as connection:
            renewed = await self._renew(connection, user_id, session)
        return RecoveryCodes(codes), renewed

    async def disable(self, actor: Actor, order: Disable, session: str) -> tuple[str, int]:
        """Needs both factors once more. Raises CallctlError: `invalid_field`, `conflict`,
        `too_many_attempts`, `unauthenticated`."""
        user = await self._require_password(actor, order.password, "body.password")
        if not user.has_second_factor:
            raise CallctlError("conflict", "there is no second factor")
        if not await self._second_factor.check(user.id, order.code):
            raise CallctlError("invalid_field", "is wrong or was used before", "body.code")
        async with self._store.transaction() as connection:
            await remove_second_factor(connection, user.id, actor.author)
            return await self._renew(connection, user.id, session)

    # Sessions

    async def list_sessions(self, actor: Actor, session: str) -> SessionList:
        current = secrets.digest(session)
        items = await self._store.list_sessions(_person(actor), current, MOST_SESSIONS)
        return SessionList(items)

    async def end_session(self, actor: Actor, session_id: int) -> None:
        """Raises CallctlError("not_found"), also for another person's."""
        if not await self._store.end_session(_person(actor), session_id):
            raise CallctlError("not_found", f"no session with the id {session_id}")

    async def _renew(self, connection: Any, user_id: int, session: str) -> tuple[str, int]:
        secret = secrets.new_session()
        age = await connection.fetchval(
            store.SESSION_RENEW, user_id, secrets.digest(session), secrets.digest(secret)
        )
        if age is None:
            raise CallctlError("unauthenticated", "the session has ended")
        return secret, age

    async def _require_password(self, actor: Actor, password: str, field: str) -> User:
        """Throttled by the user: who gets here holds one of their sessions."""
        user_id = _person(actor)
        key = f"password {user_id}"
        self._attempts.begin(key)
        user = await self._store.get_active_user(user_id)
        matches = await self._passwords.matches(user.password_hash if user else None, password)
        if user is None or not matches:
            raise CallctlError("invalid_field", "is not the password", field)
        self._attempts.take_back(key)
        return user


def _person(actor: Actor) -> int:
    if actor.user_id is None:
        raise CallctlError("not_found", "a token has no profile; sign in")
    return actor.user_id
