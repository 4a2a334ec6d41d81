"""Exports in PostgreSQL. $1 of every list is the account; extensions bound what is visible.

Who sees only some extensions' calls sees only exports that hold no others.
"""

_VIEW = """
id, source, mode, format, bom, keys, filters, state, reason, rows, bytes, sha256, created_by,
created_at, finished_at, expires_at
"""
_VISIBLE = "($2::text[] is null or (extensions is not null and extensions <@ $2::text[]))"

# Whoever creates one waits for the other, so that a crowd at once cannot pass the limit.
ACCOUNT_LOCK = "select id from accounts where id = $1 for no key update"
OPEN_EXPORTS = """
select count(*) from exports where account_id = $1 and state in ('queued', 'running')
"""
EXPORT_INSERT = f"""
insert into exports (account_id, extensions, systemname, source, mode, format, bom, keys, filters,
    created_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
returning {_VIEW}
"""  # noqa: S608 - constants of this file
EXPORTS = f"""
select {_VIEW} from exports
where account_id = $1 and {_VISIBLE} and ($3::text is null or state = $3)
  and ($4::bigint is null or id < $4)
order by id desc limit $5
"""  # noqa: S608
EXPORT = f"select {_VIEW} from exports where account_id = $1 and {_VISIBLE} and id = $3"  # noqa: S608
EXPORT_PLACE = f"""
select state, systemname, source, format from exports
where account_id = $1 and {_VISIBLE} and id = $3
"""  # noqa: S608
EXPORTS_BY_HASH = f"""
select {_VIEW} from exports where account_id = $1 and {_VISIBLE} and sha256 = $3
order by id desc limit 20
"""  # noqa: S608
CANCEL = f"""
update exports set state = 'cancelled', finished_at = now()
where account_id = $1 and {_VISIBLE} and id = $3 and state in ('queued', 'running')
returning {_VIEW}
"""  # noqa: S608

# The daemon's side. What it does not know to be running was cut off.
RECOVER = """
update exports
set state = case when runs >= $3 then 'failed' else 'queued' end,
    finished_at = case when runs >= $3 then now() end,
    reason = case when runs >= $3 then 'cut off again and again' else '' end
where systemname = $1 and state = 'running' and id <> all($2::bigint[])
"""
CLAIM = """
update exports set state = 'running', runs = runs + 1, rows = 0
where id = (select id from exports where systemname = $1 and state = 'queued'
            order by id limit 1 for update skip locked)
returning id, account_id, extensions, source, mode, format, bom, keys, filters
"""
PROGRESS = "update exports set rows = $2 where id = $1 and state = 'running' returning id"
DONE = """
update exports set state = 'done', rows = $2, bytes = $3, sha256 = $4, finished_at = now(),
    expires_at = now() + $5::interval
where id = $1 and state = 'running' returning id
"""
FAILED = """
update exports set state = 'failed', reason = $2, finished_at = now()
where id = $1 and state = 'running'
"""
EXPIRE = """
update exports set state = 'expired'
where systemname = $1 and state = 'done' and expires_at <= $2 returning id
"""
KEPT = "select id, format from exports where systemname = $1 and state = 'done'"
ACCOUNT_ZONE = "select timezone from accounts where id = $1"
