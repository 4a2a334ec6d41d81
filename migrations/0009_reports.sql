-- What reports are read from besides the sums of days: numbers and hunt groups by day, and one row
-- per number outside (docs/adr/0014). Exports.

-- Columns are added at the end; all else is as in 0003.
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
       substring(c.why from '(?:^|,)hunt_group~([^~,]+)') as hunt_group
from calls c join accounts a on a.id = c.account_id;

create view target_facts as
select call, account_id, day, 'did' as kind, did as target, direction, calls, answered, missed,
       talk_us, wait_us
from call_facts where did is not null
union all
select call, account_id, day, 'hunt_group', hunt_group, direction, calls, answered, missed,
       talk_us, wait_us
from call_facts where hunt_group is not null;
comment on view target_facts is
    'A row for the call''s DID and one for the first hunt group of its plan, percent-encoded.';

create table rollup_target_days (
    account_id  bigint not null references accounts on delete cascade,
    day         date not null,
    kind        text not null check (kind in ('did', 'hunt_group')),
    target      text not null,
    direction   text not null,
    calls       bigint not null,
    answered    bigint not null,
    missed      bigint not null,
    talk_us     bigint not null,
    wait_us     bigint not null,
    primary key (account_id, day, kind, target, direction)
);

-- One row per number outside. What is derived from calls is kept with them; `settled_at` and
-- `assigned_to` are people's, and stay whatever happens to the calls.
create table contacts (
    account_id   bigint not null references accounts on delete cascade,
    number_id    bigint not null references numbers,
    calls        bigint not null default 0,
    answered     bigint not null default 0,
    missed       bigint not null default 0,
    talk_us      bigint not null default 0,
    first_at     timestamptz,
    last_at      timestamptz,
    talked_at    timestamptz,
    missed_at    timestamptz,
    owed_since   timestamptz,
    owed_calls   bigint not null default 0,
    settled_at   timestamptz,
    assigned_to  text,
    primary key (account_id, number_id)
);
comment on column contacts.talked_at is 'Start of the last conversation, in either direction.';
comment on column contacts.owed_since is
    'Start of the first missed call after the last conversation and after settled_at.';
comment on column contacts.settled_at is 'Missed calls up to this one were settled by hand.';
create index contacts_by_first on contacts (account_id, first_at desc, number_id desc)
    where calls > 0;
create index contacts_by_last on contacts (account_id, last_at desc, number_id desc)
    where calls > 0;
create index contacts_by_calls on contacts (account_id, calls desc, number_id desc)
    where calls > 0;
create index contacts_by_talk on contacts (account_id, talked_at desc, number_id desc)
    where talked_at is not null;
create index contacts_by_miss on contacts (account_id, missed_at desc, number_id desc)
    where missed_at is not null;
create index contacts_owed on contacts (account_id, owed_since, number_id) where owed_calls > 0;

create table callback_notes (
    id          bigint generated always as identity primary key,
    account_id  bigint not null,
    number_id   bigint not null,
    settled_at  timestamptz not null,
    note        text not null,
    marked_by   text not null,
    marked_at   timestamptz not null default now(),
    foreign key (account_id, number_id) references contacts on delete cascade
);
create index callback_notes_of_contact on callback_notes (account_id, number_id, id desc);

create view contact_sums as
select f.account_id, f.number_id,
       sum(f.calls)::bigint as calls, sum(f.answered)::bigint as answered,
       sum(f.missed)::bigint as missed, sum(f.talk_us)::bigint as talk_us,
       min(f.started_at) as first_at, max(f.started_at) as last_at, max(f.talked_at) as talked_at,
       max(f.started_at) filter (where f.missed = 1) as missed_at,
       min(f.started_at) filter (where f.missed = 1 and f.started_at
           > coalesce(greatest(f.talked_at, k.settled_at), '-infinity')) as owed_since,
       count(*) filter (where f.missed = 1 and f.started_at
           > coalesce(greatest(f.talked_at, k.settled_at), '-infinity')) as owed_calls
from (
    select account_id, customer_number_id as number_id, calls, answered, missed, talk_us, started_at,
           max(started_at) filter (where answered = 1)
               over (partition by account_id, customer_number_id) as talked_at
    from call_facts where customer_number_id is not null
) f left join contacts k on k.account_id = f.account_id and k.number_id = f.number_id
group by f.account_id, f.number_id;
comment on view contact_sums is 'What contacts must say, counted from the calls.';

create or replace function rebuild_rollups(of_account bigint default null) returns void
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
    perform rebuild_targets(of_account);
    perform rebuild_contacts(of_account);
end $$;

create function rebuild_targets(of_account bigint default null) returns void
    language plpgsql as $$
begin
    lock table calls in share row exclusive mode;
    delete from rollup_target_days where of_account is null or account_id = of_account;
    insert into rollup_target_days
    select account_id, day, kind, target, direction, sum(calls), sum(answered), sum(missed),
           sum(talk_us), sum(wait_us)
    from target_facts where of_account is null or account_id = of_account
    group by account_id, day, kind, target, direction
    order by account_id, day, kind, target, direction;
end $$;

create function rebuild_contacts(of_account bigint default null) returns void
    language plpgsql as $$
begin
    lock table calls in share row exclusive mode;
    update contacts set calls = 0, answered = 0, missed = 0, talk_us = 0, first_at = null,
        last_at = null, talked_at = null, missed_at = null, owed_since = null, owed_calls = 0
    where of_account is null or account_id = of_account;
    insert into contacts as k (account_id, number_id, calls, answered, missed, talk_us, first_at,
        last_at, talked_at, missed_at, owed_since, owed_calls)
    select account_id, number_id, calls, answered, missed, talk_us, first_at, last_at, talked_at,
        missed_at, owed_since, owed_calls
    from contact_sums where of_account is null or account_id = of_account
    order by account_id, number_id
    on conflict (account_id, number_id) do update set calls = excluded.calls,
        answered = excluded.answered, missed = excluded.missed, talk_us = excluded.talk_us,
        first_at = excluded.first_at, last_at = excluded.last_at, talked_at = excluded.talked_at,
        missed_at = excluded.missed_at, owed_since = excluded.owed_since,
        owed_calls = excluded.owed_calls;
end $$;

select rebuild_targets();
select rebuild_contacts();

-- Exports: a job, then a file, then the proof of what the file was.
create table exports (
    id           bigint generated always as identity primary key,
    account_id   bigint not null references accounts,
    extensions   text[],
    systemname   text not null,
    source       text not null,
    mode         text not null check (mode in ('selected', 'page', 'all', 'search')),
    format       text not null check (format in ('csv', 'xlsx')),
    bom          boolean not null,
    keys         text[] not null,
    filters      jsonb not null,
    state        text not null default 'queued' check (state in
                     ('queued', 'running', 'done', 'failed', 'cancelled', 'expired')),
    reason       text not null default '',
    runs         integer not null default 0,
    rows         bigint not null default 0,
    bytes        bigint,
    sha256       text,
    created_by   text not null,
    created_at   timestamptz not null default now(),
    finished_at  timestamptz,
    expires_at   timestamptz
);
comment on column exports.extensions is
    'Whose calls whoever asked might see; null = all of the account''s.';
comment on column exports.systemname is 'The daemon that makes the file and has it.';
create index exports_of_account on exports (account_id, id desc);
create index exports_open on exports (systemname, id) where state in ('queued', 'running');
create index exports_to_expire on exports (systemname, expires_at) where state = 'done';
create index exports_by_hash on exports (account_id, sha256) where sha256 is not null;
