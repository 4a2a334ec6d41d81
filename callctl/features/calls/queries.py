"""Reading calls one by one, and what hangs on them; the list's queries are in listing.py."""

from callctl.features.calls.listing import CLIENTS, COLUMNS

NUMBER_IDS = """
select id from numbers
where grams @> $1::text[] and strpos(number, $2) > 0
limit $3
"""

CLIENT_NUMBERS = """
select number_id from client_numbers where account_id = $1 and client_id = $2
"""
CLIENT_TYPE = "select id from client_types where account_id = $1 and name = $2"

GET_CALL = f"""
select {COLUMNS}, c.linkedids, c.plan_id, c.why
from calls c {CLIENTS}
where c.account_id = $1 and c.id = $2
  and ($3::text[] is null or exists (
        select 1 from call_extensions s where s.call = c.id and s.extension = any($3::text[])))
"""  # noqa: S608 - constants of this file

SELECTED_CALLS = f"""
select {COLUMNS}
from calls c {CLIENTS}
where c.account_id = $1 and c.id = any($2::bigint[])
  and ($3::text[] is null or exists (
        select 1 from call_extensions s where s.call = c.id and s.extension = any($3::text[])))
order by c.id desc
"""  # noqa: S608

ATTEMPTS = """
select extension, number, endpoint, started_at, seconds, result, cause
from attempts where call = $1 order by position
"""
LEGS = """
select channel, uniqueid, endpoint, extension, number, started_at, answered_at, ended_at, cause
from legs where call = $1 order by position
"""
RECORDINGS = """
select id, file, state, started_at, seconds, bytes
from recordings where call = $1 order by started_at, id
"""
ROWS = "select rows from call_rows where call = $1"
ACCOUNT_ZONE = "select timezone from accounts where id = $1"
