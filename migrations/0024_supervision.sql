-- Who listens to a call, whispers into it or barges in has no conversation of their own and waits for
-- nobody: their record stays in the list of calls, and is in no sum (docs/adr/0009). All else is as in
-- 0017. The other views read this one.

-- Before the view, in the order of those who write calls: a daemon that runs meanwhile waits.
lock table calls in share row exclusive mode;

create or replace view call_facts as
select c.id as call,
       c.account_id,
       date_bin(interval '15 minutes', c.started_at, timestamptz '2000-01-01 00:00:00+00') as quarter,
       (c.started_at at time zone a.timezone)::date as day,
       c.direction,
       1 as calls,
       (c.disposition = 'ANSWERED')::integer as answered,
       (c.disposition = 'CANCELLED')::integer as cancelled,
       (c.disposition = 'NO_ANSWER')::integer as no_answer,
       (c.disposition = 'BUSY')::integer as busy,
       (c.disposition = 'REJECTED')::integer as rejected,
       (c.disposition = 'FAILED')::integer as failed,
       (c.disposition = 'UNKNOWN')::integer as unknown,
       c.missed::integer as missed,
       case when c.answered_at is null then 0
            else greatest(0, microseconds(c.ended_at - c.answered_at)) end as talk_us,
       greatest(0, microseconds(coalesce(c.answered_at, c.ended_at) - c.started_at)) as wait_us,
       case when c.answered_at is null then 0
            else greatest(0, microseconds(c.answered_at - c.started_at)) end as answered_wait_us,
       c.extension,
       c.answered_by,
       c.started_at,
       c.customer_number_id,
       c.did,
       substring(c.why from '(?:^|,)hunt_group~([^~,]+)') as hunt_group,
       coalesce(c.cost, 0) as cost
from calls c join accounts a on a.id = c.account_id
where c.route is null or c.route not in ('feature:listen', 'feature:whisper', 'feature:barge');

do $$ begin
    if exists (select from calls
               where route in ('feature:listen', 'feature:whisper', 'feature:barge')) then
        perform rebuild_rollups();
    end if;
end $$;
