-- Sums that reports are read from, and the indexes that keep every page of the history cheap
-- (docs/adr/0009).

-- The history's indexes. Each ends in (started_at, id), so that a page is read in order from one
-- place, however rare what it asks for is.
drop index calls_by_from;
drop index calls_by_to;
-- A number is a call's customer, or else one of its three parties: each is indexed once.
create index calls_by_customer on calls (account_id, customer_number_id, started_at desc, id desc)
    where customer_number_id is not null;
create index calls_by_from on calls (account_id, from_number_id, started_at desc, id desc)
    where from_number_id is distinct from customer_number_id;
create index calls_by_to on calls (account_id, to_number_id, started_at desc, id desc)
    where to_number_id is distinct from customer_number_id;
create index calls_by_destination
    on calls (account_id, destination_number_id, started_at desc, id desc)
    where destination_number_id is distinct from to_number_id;
create index calls_by_outcome
    on calls (account_id, direction, disposition, started_at desc, id desc);
create index calls_missed on calls (account_id, started_at desc, id desc) where missed;
create index calls_recorded on calls (account_id, started_at desc, id desc) where has_recording;
create index calls_mended on calls (account_id, completeness, started_at desc, id desc)
    where completeness <> 'complete';
create index calls_long on calls (account_id, started_at desc, id desc) include (talk_seconds)
    where talk_seconds >= 600;
create index calls_longest on calls (account_id, started_at desc, id desc) include (talk_seconds)
    where talk_seconds >= 3600;

-- What one call adds to the sums. Every sum is made of these views and of nothing else: when calls
-- are stored, rebuilt, merged, when sums are verified, and when they are made anew.

create function microseconds(length interval) returns bigint
    language sql immutable parallel safe
    return round(date_part('epoch', length) * 1000000)::bigint;

create view call_facts as
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
       c.answered_by
from calls c join accounts a on a.id = c.account_id;
comment on view call_facts is
    'One row per call: its quarter of an hour (UTC), its day in the account''s zone, and counters.';

create view extension_facts as
select f.call, f.account_id, f.day, e.extension, f.direction,
       1 as calls,
       (f.extension is not distinct from e.extension)::integer as placed,
       case when f.extension = e.extension then f.answered else 0 end as placed_answered,
       (f.answered_by is not distinct from e.extension)::integer as answered,
       0 as attempts, 0 as attempts_answered, 0 as attempts_missed, 0 as attempts_refused,
       0 as attempts_elsewhere, 0 as attempts_unreachable,
       case when f.extension = e.extension then f.talk_us else 0 end as placed_talk_us,
       case when f.answered_by = e.extension then f.talk_us else 0 end as answered_talk_us,
       0::bigint as ring_us
from call_extensions e join call_facts f on f.call = e.call
union all
select f.call, f.account_id, f.day, t.extension, f.direction,
       0, 0, 0, 0,
       1,
       (t.result = 'ANSWER')::integer,
       (t.result in ('NOANSWER', 'CANCEL'))::integer,
       (t.result in ('BUSY', 'REJECTED'))::integer,
       (t.result in ('ANSWERED_ELSEWHERE', 'PICKUP', 'FORWARD'))::integer,
       (t.result = 'UNAVAILABLE')::integer,
       0, 0,
       round(t.seconds * 1000000)::bigint
from attempts t join call_facts f on f.call = t.call
where t.extension is not null;
comment on view extension_facts is
    'Rows per call and extension: its part in the call, and one row per attempt at it.';

-- The sums. Microseconds are integers, so that what is added and taken away again leaves nothing.

create table rollup_quarters (
    account_id        bigint not null references accounts on delete cascade,
    quarter           timestamptz not null,
    direction         text not null,
    calls             bigint not null,
    answered          bigint not null,
    cancelled         bigint not null,
    no_answer         bigint not null,
    busy              bigint not null,
    rejected          bigint not null,
    failed            bigint not null,
    unknown           bigint not null,
    missed            bigint not null,
    talk_us           bigint not null,
    wait_us           bigint not null,
    answered_wait_us  bigint not null,
    primary key (account_id, quarter, direction)
);
create table rollup_days (
    account_id        bigint not null references accounts on delete cascade,
    day               date not null,
    direction         text not null,
    calls             bigint not null,
    answered          bigint not null,
    cancelled         bigint not null,
    no_answer         bigint not null,
    busy              bigint not null,
    rejected          bigint not null,
    failed            bigint not null,
    unknown           bigint not null,
    missed            bigint not null,
    talk_us           bigint not null,
    wait_us           bigint not null,
    answered_wait_us  bigint not null,
    primary key (account_id, day, direction)
);
create table rollup_extension_days (
    account_id            bigint not null references accounts on delete cascade,
    day                   date not null,
    extension             text not null,
    direction             text not null,
    calls                 bigint not null,
    placed                bigint not null,
    placed_answered       bigint not null,
    answered              bigint not null,
    attempts              bigint not null,
    attempts_answered     bigint not null,
    attempts_missed       bigint not null,
    attempts_refused      bigint not null,
    attempts_elsewhere    bigint not null,
    attempts_unreachable  bigint not null,
    placed_talk_us        bigint not null,
    answered_talk_us      bigint not null,
    ring_us               bigint not null,
    primary key (account_id, day, extension, direction)
);
comment on column rollup_days.day is 'In the account''s zone as it is now.';
comment on column rollup_extension_days.calls is
    'Calls the extension had any part in; one call counts for each of its extensions.';

create function rebuild_rollups(of_account bigint default null) returns void
    language plpgsql as $$
begin
    -- Whoever writes calls waits meanwhile, so that no call is counted twice or not at all.
    lock table calls in share row exclusive mode;
    delete from rollup_quarters where of_account is null or account_id = of_account;
    insert into rollup_quarters
    select account_id, quarter, direction, sum(calls), sum(answered), sum(cancelled),
           sum(no_answer), sum(busy), sum(rejected), sum(failed), sum(unknown), sum(missed),
           sum(talk_us), sum(wait_us), sum(answered_wait_us)
    from call_facts where of_account is null or account_id = of_account
    group by account_id, quarter, direction order by account_id, quarter, direction;
    delete from rollup_days where of_account is null or account_id = of_account;
    insert into rollup_days
    select account_id, day, direction, sum(calls), sum(answered), sum(cancelled),
           sum(no_answer), sum(busy), sum(rejected), sum(failed), sum(unknown), sum(missed),
           sum(talk_us), sum(wait_us), sum(answered_wait_us)
    from call_facts where of_account is null or account_id = of_account
    group by account_id, day, direction order by account_id, day, direction;
    delete from rollup_extension_days where of_account is null or account_id = of_account;
    insert into rollup_extension_days
    select account_id, day, extension, direction, sum(calls), sum(placed), sum(placed_answered),
           sum(answered), sum(attempts), sum(attempts_answered), sum(attempts_missed),
           sum(attempts_refused), sum(attempts_elsewhere), sum(attempts_unreachable),
           sum(placed_talk_us), sum(answered_talk_us), sum(ring_us)
    from extension_facts where of_account is null or account_id = of_account
    group by account_id, day, extension, direction
    order by account_id, day, extension, direction;
end $$;

-- An account's days begin where its zone says; another zone makes other days.
create function rebuild_rollups_of_row() returns trigger language plpgsql as $$
begin
    perform rebuild_rollups(new.id);
    return null;
end $$;
create trigger accounts_zone after update of timezone on accounts
    for each row when (old.timezone is distinct from new.timezone)
    execute function rebuild_rollups_of_row();

select rebuild_rollups();
