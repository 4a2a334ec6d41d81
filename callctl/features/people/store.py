"""Queries on users, groups and invitations. Those that change something run in a transaction of
the service's, on a `connection`."""

from typing import Any

import asyncpg

from callctl.core.errors import CallctlError

# One change of an account's people at a time: the last administrator is counted under this lock.
# It leaves alone whoever only refers to the account, such as calls that are stored.
ACCOUNT_LOCK = "select kind from accounts where id = $1 for no key update"

# A viewer ($2) who does not see all people sees themselves, and a group leader the group.
USERS_PAGE = """
select id, login, name, email, employee_number, extension, role, group_id, "group", active,
       granted, withdrawn, second_factor, created_at, changed_at, account_kind
from people p
where account_id = $1 and ($2::bigint is null or exists (
        select from users v where v.id = $2
           and (v.id = p.id or v.role = 'group_leader' and v.group_id = p.group_id)))
  and ($3::text is null or login > $3)
  and ($4::text is null or role = $4)
  and ($5::bigint is null or group_id = $5)
  and ($6::boolean is null or active = $6)
  and ($7::text is null or strpos(lower(name || ' ' || login), lower($7)) > 0)
order by login
limit $8
"""

USER = """
select id, login, name, email, employee_number, extension, role, group_id, "group", active,
       granted, withdrawn, second_factor, created_at, changed_at, account_kind
from people p
where account_id = $1 and id = $3 and ($2::bigint is null or exists (
        select from users v where v.id = $2
           and (v.id = p.id or v.role = 'group_leader' and v.group_id = p.group_id)))
"""

USER_ID = "select id from users where account_id = $1 and login = $2"

USER_INSERT = """
insert into users (account_id, login, name, role, email, employee_number, extension, group_id,
                   password_hash)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
returning id
"""

USER_UPDATE = """
update users
set name = $3, role = $4, email = $5, employee_number = $6, extension = $7, group_id = $8,
    granted = $9, withdrawn = $10, active = $11, changed_at = now()
where account_id = $1 and id = $2
"""

ADMINISTRATORS = """
select count(*) from users where account_id = $1 and role = 'administrator' and active
"""

SESSIONS_END = "delete from sessions where user_id = $1"

TOKENS_END = "update tokens set revoked_at = now() where created_by = $1 and revoked_at is null"

INVITATIONS_END = """
update invitations set revoked_at = now()
where invited_by = $1 and accepted_at is null and revoked_at is null
"""

GROUPS_PAGE = """
select g.id, g.name, g.description, g.created_at,
       (select count(*) from users m where m.account_id = g.account_id and m.group_id = g.id)
           as members
from groups g
where g.account_id = $1 and ($2::bigint is null or exists (
        select from users v where v.id = $2 and v.group_id = g.id))
  and ($3::text is null or lower(g.name) > lower($3))
order by lower(g.name)
limit $4
"""

GROUP = """
select g.id, g.name, g.description, g.created_at,
       (select count(*) from users m where m.account_id = g.account_id and m.group_id = g.id)
           as members
from groups g
where g.account_id = $1 and g.id = $3 and ($2::bigint is null or exists (
        select from users v where v.id = $2 and v.group_id = g.id))
"""

GROUP_LOCK = """
select name, description from groups where account_id = $1 and id = $2 for update
"""

GROUP_INSERT = """
insert into groups (account_id, name, description) values ($1, $2, $3) returning id
"""

GROUP_UPDATE = "update groups set name = $3, description = $4 where account_id = $1 and id = $2"

GROUP_LEAVE_INVITATIONS = """
update invitations set group_id = null
where account_id = $1 and group_id = $2
  and (accepted_at is not null or revoked_at is not null or expires_at <= now())
"""

GROUP_DELETE = "delete from groups where account_id = $1 and id = $2"

INVITATION_INSERT = """
insert into invitations (account_id, secret_hash, name, email, role, group_id, employee_number,
                         extension, invited_by, author, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now() + $11)
returning id
"""

INVITATION = """
select id,
       case when accepted_at is not null then 'accepted' when revoked_at is not null then 'revoked'
            when expires_at <= now() then 'expired' else 'open' end as state,
       name, email, role, group_id, employee_number, extension, author as invited_by, created_at,
       expires_at, accepted_at, revoked_at, user_id
from invitations where account_id = $1 and id = $2
"""

INVITATIONS_PAGE = """
select * from (
    select id,
           case when accepted_at is not null then 'accepted'
                when revoked_at is not null then 'revoked'
                when expires_at <= now() then 'expired' else 'open' end as state,
           name, email, role, group_id, employee_number, extension, author as invited_by,
           created_at, expires_at, accepted_at, revoked_at, user_id
    from invitations where account_id = $1 and ($2::bigint is null or id < $2)
) i
where $3::text is null or state = $3
order by id desc
limit $4
"""

INVITATION_LOCK = """
select accepted_at, revoked_at from invitations where account_id = $1 and id = $2 for update
"""

INVITATION_REVOKE = "update invitations set revoked_at = now() where id = $1"

INVITATION_OPEN = """
select account_id from invitations
where secret_hash = $1 and accepted_at is null and revoked_at is null and expires_at > now()
"""

INVITATION_OFFER = """
select a.name as account, i.name from invitations i join accounts a on a.id = i.account_id
where i.secret_hash = $1 and i.accepted_at is null and i.revoked_at is null
  and i.expires_at > now()
"""

# Whoever comes second finds it accepted.
INVITATION_ACCEPT = """
update invitations set accepted_at = now()
where secret_hash = $1 and accepted_at is null and revoked_at is null and expires_at > now()
returning id, account_id, name, email, role, group_id, employee_number, extension
"""

INVITATION_MADE = "update invitations set user_id = $2 where id = $1"

_TAKEN = {
    "users_login_key": ("login", "this login is taken"),
    "users_by_employee_number": ("employee_number", "another user has this employee number"),
    "users_by_extension": ("extension", "another active user has this extension"),
    "groups_by_name": ("name", "another group has this name"),
}


async def lock_account(connection: Any, account_id: int) -> str:
    """The account's kind."""
    kind: str = await connection.fetchval(ACCOUNT_LOCK, account_id)
    return kind


def refusal(error: asyncpg.IntegrityConstraintViolationError) -> CallctlError:
    """What a broken constraint means to whoever asked."""
    name = error.constraint_name or ""
    if name in _TAKEN:
        field, message = _TAKEN[name]
        return CallctlError("already_exists", message, f"body.{field}")
    if isinstance(error, asyncpg.ForeignKeyViolationError):
        return CallctlError("invalid_field", "there is no such group", "body.group_id")
    raise error
