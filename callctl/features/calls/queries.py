"""Reading calls one by one, and what hangs on them; the list's queries are in listing.py."""

from callctl.features.calls.listing import BESIDE, COLUMNS

CHANGES_UNTIL = """
select least(statement_timestamp(), min(case when backend_xid is not null then xact_start
                                             when state = 'active' then query_start end))
from pg_stat_activity
where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
"""
"""Before this moment no call changes any more: whoever is writing now began later. A transaction
commits after the moment that it wrote into `changed_at`, so that a pull which went up to the newest
row would pass over one that is yet to appear before it. To be asked before the page is read.
Sessions of other roles cannot be seen: every daemon uses the same one."""

NUMBER_IDS = """
select id from numbers
where grams @> $1::text[] and strpos(number, $2) > 0
limit $3
"""

CLIENT_NUMBERS = """
select number_id from client_numbers where account_id = $1 and client_id = $2
"""
GROUP_EXTENSIONS = """
select array(
    select p.extension from people p
    where p.account_id = g.account_id and p.group_id = g.id and p.extension is not null
      and (p.active or not exists (
            select from people o
            where o.account_id = p.account_id and o.extension = p.extension and o.active)))
from groups g where g.account_id = $1 and g.id = $2
"""
"""Whoever has left an extension to somebody else has left it with its calls (migrations/0007)."""

CLIENT_TYPE = "select id from client_types where account_id = $1 and name = $2"

GET_CALL = f"""
select {COLUMNS}, c.linkedids, c.plan_id, c.why
from calls c {BESIDE}
where c.account_id = $1 and c.id = $2
  and ($3::text[] is null or exists (
        select 1 from call_extensions s where s.call = c.id and s.extension = any($3::text[])))
"""  # noqa: S608 - constants of this file

SELECTED_CALLS = f"""
select {COLUMNS}
from calls c {BESIDE}
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
select r.id, r.file, r.state, r.started_at, r.seconds, r.bytes, r.format,
       case when g.recording is not null then jsonb_build_object(
           'caller_talk_share', g.caller_talk_share, 'called_talk_share', g.called_talk_share,
           'both_share', g.both_share, 'silence_share', g.silence_share,
           'caller_interruptions', g.caller_interruptions,
           'called_interruptions', g.called_interruptions,
           'longest_monologue_seconds', g.longest_monologue_seconds,
           'longest_monologue_side', g.longest_monologue_side,
           'caller_first_word_seconds', g.caller_first_word_seconds,
           'called_first_word_seconds', g.called_first_word_seconds) end as figures
from recordings r left join recording_figures g on g.recording = r.id
where r.call = $1 order by r.started_at, r.id
"""
PAUSES = """
select paused_at, paused_by, resumed_at, resumed_by from recording_pauses
where account_id = $1 and linkedid = any($2::text[]) order by id
"""
INTERVENTIONS = """
select kind, extension, target, author as by, at, state = 'accepted' as certain from interventions
where account_id = $1 and call_id = any($2::text[]) and state <> 'refused'
  and ($3 or kind <> all($4::text[]))
order by at, id
"""
NOTES = """
select problem, solution, written_by, written_at from call_notes where call = $1 order by id desc
"""
NOTE_INSERT = """
insert into call_notes (call, account_id, problem, solution, written_by)
values ($1, $2, $3, $4, $5) returning id, problem, solution, written_by, written_at
"""
# Of all that is paid for the call only what its account pays: the rest is between others.
COSTS = """
select side, leg, number, answered_at, version_id, prefix, with_hours, destination, talk_seconds,
       billed_seconds, amount, currency, reason
from call_costs where call = $1 and payer_id = $2 order by leg, side desc
"""
ROWS = "select rows from call_rows where call = $1"
ACCOUNT_ZONE = "select timezone from accounts where id = $1"
