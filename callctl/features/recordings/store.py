"""Everything that is asked of PostgreSQL about recordings that are in their place."""

COLUMNS = """
r.id, r.call, c.call_id, r.file, r.started_at, r.seconds, r.bytes,
array_remove(array[r.format, case when r.wav_path is not null then 'wav' end], null) as formats,
r.data_key is not null as encrypted, r.downloaded_at, r.downloaded_by,
exists (select 1 from recording_favourites v where v.recording = r.id and v.user_id = $3)
    as favourite
"""
FIGURES = """
g.recording as analysed, g.caller_talk_share, g.called_talk_share, g.both_share, g.silence_share,
g.caller_interruptions, g.called_interruptions, g.longest_monologue_seconds,
g.longest_monologue_side, g.caller_first_word_seconds, g.called_first_word_seconds
"""
_VISIBLE = """
  and ($2::text[] is null or exists (
        select 1 from call_extensions s where s.call = r.call and s.extension = any($2::text[])))
"""
_HELD = """
exists (select 1 from legal_holds h where h.call = r.call and h.released_at is null
        and (h.recording is null or h.recording = r.id))
"""

# Whoever has left an extension to somebody else has left it with its calls (migrations/0007).
_STILL_THEIRS = """
(p.active or not exists (
    select 1 from people o
    where o.account_id = $1 and o.extension = p.extension and o.active))
"""
_TIME_OF_DAY = """
(c.started_at at time zone (select timezone from accounts where id = $1))::time
"""

LIST_RECORDINGS = f"""
select {COLUMNS}, c.direction, f.number as from_number, t.number as to_number, c.extension,
       c.answered_by, {_HELD} as held, {FIGURES}
from recordings r join calls c on c.id = r.call
left join numbers f on f.id = c.from_number_id
left join numbers t on t.id = c.to_number_id
left join recording_figures g on g.recording = r.id
where r.account_id = $1 and r.state = 'available' {_VISIBLE}
  and ($4::timestamptz is null or r.started_at >= $4)
  and ($5::timestamptz is null or r.started_at < $5)
  and ($6::text is null or c.direction = $6)
  and ($7::text is null or exists (
        select 1 from call_extensions s where s.call = r.call and s.extension = $7))
  and ($8::text is null or exists (
        select 1 from numbers n where strpos(n.number, $8) > 0
           and n.id in (c.from_number_id, c.to_number_id, c.destination_number_id)))
  and ($9::float8 is null or r.seconds >= $9)
  and ($10::float8 is null or r.seconds <= $10)
  and ($11::boolean is null or (r.downloaded_at is not null) = $11)
  and ($12::boolean is null or $12 = exists (
        select 1 from recording_favourites v where v.recording = r.id and v.user_id = $3))
  and ($13::boolean is null or $13 = {_HELD})
  and ($14::boolean is null or (g.recording is not null) = $14)
  and ($15::float8 is null or g.silence_share >= $15)
  and ($16::float8 is null or g.silence_share <= $16)
  and ($17::bigint is null or g.caller_interruptions + g.called_interruptions >= $17)
  and ($18::float8 is null or g.longest_monologue_seconds >= $18)
  and ($19::float8 is null
       or g.recording is not null and coalesce(g.called_first_word_seconds, 'infinity') >= $19)
  and ($20::float8 is null or g.called_first_word_seconds <= $20)
  and ($21::timestamptz is null or (r.started_at, r.id) < ($21, $22::bigint))
  and ($24::bigint is null or exists (
        select 1 from client_numbers l where l.account_id = $1 and l.client_id = $24
           and l.number_id in (c.customer_number_id, c.from_number_id, c.to_number_id,
                               c.destination_number_id)))
  and ($25::bigint is null or exists (
        select 1 from call_extensions s
        join people p on p.account_id = $1 and p.group_id = $25 and p.extension = s.extension
        where s.call = r.call and {_STILL_THEIRS}))
  and ($26::time is null or $26 <= coalesce($27, time '24:00') and {_TIME_OF_DAY} >= $26
       or $26 > $27 and ({_TIME_OF_DAY} >= $26 or {_TIME_OF_DAY} < $27))
  and ($27::time is null or $26 > $27 or {_TIME_OF_DAY} < $27)
  and ($28::text is null or r.id in (
        select t.recording from transcripts t
        where t.account_id = $1 and t.words @@ plainto_tsquery('simple', $28)))
order by r.started_at desc, r.id desc limit $23
"""  # noqa: S608 - constants of this file

GET_RECORDING = f"""
select {COLUMNS}, r.state, r.available_at, r.deleted_at, c.linkedids, {FIGURES},
       case when r.state = 'available' then o.caller end as outline_caller,
       case when r.state = 'available' then o.called end as outline_called
from recordings r join calls c on c.id = r.call
left join recording_figures g on g.recording = r.id
left join recording_outlines o on o.recording = r.id
where r.account_id = $1 and r.id = $4 {_VISIBLE}
"""  # noqa: S608 - constants of this file

GET_AUDIO = f"""
select r.id, r.call, r.file, r.path, r.format, r.bytes, r.wav_path, r.wav_bytes, r.data_key
from recordings r
where r.account_id = $1 and r.id = $3 and r.state = 'available' {_VISIBLE}
"""  # noqa: S608 - constants of this file

PAUSES_OF_CALL = """
select paused_at, paused_by, resumed_at, resumed_by from recording_pauses
where account_id = $1 and linkedid = any($2::text[]) order by id
"""

ADD_ACCESS = """
insert into recording_accesses
    (account_id, recording, call, file, kind, user_id, actor, address, format, first_byte,
     last_byte)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
MARK_DOWNLOADED = """
with first as (
    update recordings set downloaded_at = clock_timestamp(), downloaded_by = $2
    where id = $1 and downloaded_at is null returning call)
update calls set changed_at = clock_timestamp() where id = (select call from first)
"""
LIST_ACCESSES = """
select a.id, a.recording, a.call, a.file, a.kind, a.user_id, a.actor, a.address, a.format,
       a.first_byte, a.last_byte, a.at
from recording_accesses a
where a.account_id = $1
  and ($2::text[] is null or exists (
        select 1 from call_extensions s where s.call = a.call and s.extension = any($2::text[])))
  and ($3::bigint is null or a.recording = $3)
  and ($4::text is null or a.kind = $4)
  and ($5::bigint is null or a.id < $5)
order by a.id desc limit $6
"""

ADD_FAVOURITE = f"""
insert into recording_favourites (user_id, recording)
select $3::bigint, r.id from recordings r
where r.account_id = $1 and r.id = $4 and r.state = 'available' {_VISIBLE}
on conflict (user_id, recording) do update set added_at = recording_favourites.added_at
returning recording
"""  # noqa: S608 - constants of this file
REMOVE_FAVOURITE = "delete from recording_favourites where user_id = $1 and recording = $2"

LOCK_ACCOUNT = "select id from accounts where id = $1 for no key update"
GET_SETTINGS = """
select format, encrypt, recording_days, call_days, changed_at, changed_by
from recording_settings where account_id = $1
"""
SAVE_SETTINGS = """
insert into recording_settings
    (account_id, format, encrypt, recording_days, call_days, changed_by)
values ($1, $2, $3, $4, $5, $6)
on conflict (account_id) do update
set format = excluded.format, encrypt = excluded.encrypt,
    recording_days = excluded.recording_days, call_days = excluded.call_days,
    changed_at = now(), changed_by = excluded.changed_by
"""
