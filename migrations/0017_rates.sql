-- What calls cost: tariffs with versions, who pays by which, and the cost of each call
-- (docs/rates.md, docs/adr/0021).

create table tariffs (
    id          bigint generated always as identity primary key,
    account_id  bigint not null references accounts on delete cascade,
    name        text not null,
    currency    text not null,
    timezone    text not null,
    created_at  timestamptz not null default now(),
    unique (account_id, name)
);
comment on table tariffs is
    'Price lists of an account: what it asks of those below it, or what a carrier asks of it.';

-- An upload is a draft; applied, it gets its number and is never changed again.
create table tariff_versions (
    id          bigint generated always as identity primary key,
    tariff_id   bigint not null references tariffs on delete cascade,
    base_id     bigint references tariff_versions,
    number      integer,
    valid_from  timestamptz,
    rates       integer not null,
    created_at  timestamptz not null default now(),
    created_by  text not null,
    applied_at  timestamptz,
    applied_by  text,
    unique (tariff_id, number),
    check ((number is null) = (applied_at is null) and (number is null) = (valid_from is null))
);
create index tariff_versions_of_tariff on tariff_versions (tariff_id, id desc);
create index tariff_versions_of_base on tariff_versions (base_id);
create index tariff_drafts on tariff_versions (created_at) where number is null;
comment on column tariff_versions.base_id is 'The version that a draft was compared with.';

create table tariff_rates (
    version_id         bigint not null references tariff_versions on delete cascade,
    prefix             text not null,
    hours              text not null,
    destination        text not null,
    price              bigint not null,
    unit_seconds       integer not null,
    connect_fee        bigint not null,
    minimum_seconds    integer not null,
    increment_seconds  integer not null,
    free_seconds       integer not null,
    primary key (version_id, prefix, hours)
);
comment on column tariff_rates.price is 'Millionths of a minor unit for each unit_seconds.';

-- What was applied stays as it is; it goes only with its tariff.
create function keep_applied_rates() returns trigger language plpgsql as $$
begin
    if exists (select from tariff_versions v join tariffs t on t.id = v.tariff_id
               where v.id = old.version_id and v.number is not null) then
        raise exception 'rates of an applied version are never changed'
            using errcode = 'restrict_violation';
    end if;
    return coalesce(new, old);
end $$;
create trigger tariff_rates_keep before update or delete on tariff_rates
    for each row execute function keep_applied_rates();

create function add_no_applied_rates() returns trigger language plpgsql as $$
begin
    if exists (select from tariff_versions v
               where v.number is not null and v.id in (select version_id from added)) then
        raise exception 'rates of an applied version are never changed'
            using errcode = 'restrict_violation';
    end if;
    return null;
end $$;
create trigger tariff_rates_add after insert on tariff_rates referencing new table as added
    for each statement execute function add_no_applied_rates();

create function keep_applied_versions() returns trigger language plpgsql as $$
begin
    if exists (select from tariffs where id = old.tariff_id) then
        raise exception 'an applied version is never changed' using errcode = 'restrict_violation';
    end if;
    return coalesce(new, old);
end $$;
create trigger tariff_versions_keep before update or delete on tariff_versions
    for each row when (old.number is not null) execute function keep_applied_versions();

-- Who pays by which tariff, from when on. Lines are only added: so it can be told at any time what
-- was in force when a call was answered.
create table tariff_assignments (
    id          bigint generated always as identity primary key,
    bearer_id   bigint not null references accounts on delete cascade,
    account_id  bigint not null references accounts on delete cascade,
    trunk       text,
    tariff_id   bigint references tariffs on delete cascade,
    since       timestamptz not null,
    set_by      text not null,
    set_at      timestamptz not null default now()
);
create index tariff_assignments_of_account on tariff_assignments (account_id, trunk, id);
create index tariff_assignments_of_bearer on tariff_assignments (bearer_id, id);
create index tariff_assignments_of_tariff on tariff_assignments (tariff_id);
comment on column tariff_assignments.bearer_id is
    'Who set it: without a trunk, the seller of account_id; with one, who pays the carrier.';
comment on column tariff_assignments.tariff_id is 'null: none from then on.';

-- Counts every change of what is in force, so that whoever keeps it in memory sees that it changed.
create table tariff_revision (
    single    boolean primary key default true check (single),
    revision  bigint not null
);
insert into tariff_revision (revision) values (0);

-- The cost of a call: one row per part of it that went outside, and per account that pays for it.
create table call_costs (
    id              bigint generated always as identity primary key,
    call            bigint not null references calls on delete cascade,
    side            text not null check (side in ('price', 'carrier')),
    payer_id        bigint not null references accounts on delete cascade,
    leg             smallint not null,
    number          text not null,
    answered_at     timestamptz not null,
    version_id      bigint not null references tariff_versions,
    prefix          text,
    with_hours      boolean not null,
    destination     text not null,
    talk_seconds    integer not null,
    billed_seconds  integer not null,
    amount          bigint,
    currency        text not null,
    reason          text,
    transaction_id  bigint,
    check ((amount is null) = (reason is not null))
);
create index call_costs_of_call on call_costs (call);
create index call_costs_of_payer on call_costs (payer_id, answered_at);
create index call_costs_of_version on call_costs (version_id);
comment on column call_costs.side is
    'price: what the payer pays to its seller; carrier: what the payer pays to its carrier.';
comment on column call_costs.reason is 'Why there is no amount.';

-- What the call's own account pays for it, of call_costs. A call that no part of went outside has
-- neither cost nor reason.
alter table calls add column cost bigint, add column currency text, add column cost_reason text;
create index calls_with_cost on calls (account_id, started_at desc, id desc) include (cost)
    where cost > 0;
create index calls_by_cost on calls (account_id, cost desc, id desc) where cost is not null;
create index calls_unrated on calls (account_id, started_at desc, id desc)
    where cost is null and cost_reason is not null;

-- R001-15, by price: the price that came to too_long_seconds.
alter table calls add column too_long_cost bigint;

alter table rollup_quarters add column cost bigint not null default 0;
alter table rollup_days add column cost bigint not null default 0;
alter table rollup_extension_days add column cost bigint not null default 0;
alter table rollup_target_days add column cost bigint not null default 0;
alter table rollup_quarters_kept add column cost bigint not null default 0;
alter table rollup_days_kept add column cost bigint not null default 0;
alter table rollup_extension_days_kept add column cost bigint not null default 0;
alter table rollup_target_days_kept add column cost bigint not null default 0;
alter table contacts add column cost bigint not null default 0;
alter table contacts_kept add column cost bigint not null default 0;

-- Columns are added at the end; all else is as in 0003 and 0009.
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
from calls c join accounts a on a.id = c.account_id;

create or replace view extension_facts as
select f.call, f.account_id, f.day, e.extension, f.direction,
       1 as calls,
       (f.extension is not distinct from e.extension)::integer as placed,
       case when f.extension = e.extension then f.answered else 0 end as placed_answered,
       (f.answered_by is not distinct from e.extension)::integer as answered,
       0 as attempts, 0 as attempts_answered, 0 as attempts_missed, 0 as attempts_refused,
       0 as attempts_elsewhere, 0 as attempts_unreachable,
       case when f.extension = e.extension then f.talk_us else 0 end as placed_talk_us,
       case when f.answered_by = e.extension then f.talk_us else 0 end as answered_talk_us,
       0::bigint as ring_us,
       case when f.extension = e.extension then f.cost else 0 end as cost
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
       round(t.seconds * 1000000)::bigint,
       0
from attempts t join call_facts f on f.call = t.call
where t.extension is not null;

create or replace view target_facts as
select call, account_id, day, 'did' as kind, did as target, direction, calls, answered, missed,
       talk_us, wait_us, cost
from call_facts where did is not null
union all
select call, account_id, day, 'hunt_group', hunt_group, direction, calls, answered, missed,
       talk_us, wait_us, cost
from call_facts where hunt_group is not null;

create or replace function rebuild_rollups(of_account bigint default null) returns void
    language plpgsql as $$
begin
    -- Whoever writes calls waits meanwhile, so that no call is counted twice or not at all.
    lock table calls in share row exclusive mode;
    delete from rollup_quarters where of_account is null or account_id = of_account;
    insert into rollup_quarters
    select account_id, quarter, direction, sum(calls), sum(answered), sum(cancelled),
           sum(no_answer), sum(busy), sum(rejected), sum(failed), sum(unknown), sum(missed),
           sum(talk_us), sum(wait_us), sum(answered_wait_us), sum(cost)
    from (
        select account_id, quarter, direction, calls, answered, cancelled, no_answer, busy,
               rejected, failed, unknown, missed, talk_us, wait_us, answered_wait_us, cost
        from call_facts union all select * from rollup_quarters_kept
    ) f where of_account is null or account_id = of_account
    group by account_id, quarter, direction order by account_id, quarter, direction;
    delete from rollup_days where of_account is null or account_id = of_account;
    insert into rollup_days
    select account_id, day, direction, sum(calls), sum(answered), sum(cancelled),
           sum(no_answer), sum(busy), sum(rejected), sum(failed), sum(unknown), sum(missed),
           sum(talk_us), sum(wait_us), sum(answered_wait_us), sum(cost)
    from (
        select account_id, day, direction, calls, answered, cancelled, no_answer, busy,
               rejected, failed, unknown, missed, talk_us, wait_us, answered_wait_us, cost
        from call_facts union all select * from rollup_days_kept
    ) f where of_account is null or account_id = of_account
    group by account_id, day, direction order by account_id, day, direction;
    delete from rollup_extension_days where of_account is null or account_id = of_account;
    insert into rollup_extension_days
    select account_id, day, extension, direction, sum(calls), sum(placed), sum(placed_answered),
           sum(answered), sum(attempts), sum(attempts_answered), sum(attempts_missed),
           sum(attempts_refused), sum(attempts_elsewhere), sum(attempts_unreachable),
           sum(placed_talk_us), sum(answered_talk_us), sum(ring_us), sum(cost)
    from (
        select account_id, day, extension, direction, calls, placed, placed_answered, answered,
               attempts, attempts_answered, attempts_missed, attempts_refused, attempts_elsewhere,
               attempts_unreachable, placed_talk_us, answered_talk_us, ring_us, cost
        from extension_facts union all select * from rollup_extension_days_kept
    ) f where of_account is null or account_id = of_account
    group by account_id, day, extension, direction
    order by account_id, day, extension, direction;
    perform rebuild_targets(of_account);
    perform rebuild_contacts(of_account);
end $$;

create or replace function rebuild_targets(of_account bigint default null) returns void
    language plpgsql as $$
begin
    lock table calls in share row exclusive mode;
    delete from rollup_target_days where of_account is null or account_id = of_account;
    insert into rollup_target_days
    select account_id, day, kind, target, direction, sum(calls), sum(answered), sum(missed),
           sum(talk_us), sum(wait_us), sum(cost)
    from (
        select account_id, day, kind, target, direction, calls, answered, missed, talk_us, wait_us,
               cost
        from target_facts union all select * from rollup_target_days_kept
    ) f where of_account is null or account_id = of_account
    group by account_id, day, kind, target, direction
    order by account_id, day, kind, target, direction;
end $$;

create or replace view contact_sums as
select account_id, number_id,
       sum(calls)::bigint as calls, sum(answered)::bigint as answered, sum(missed)::bigint as missed,
       sum(talk_us)::bigint as talk_us, min(first_at) as first_at, max(last_at) as last_at,
       max(talked_at) as talked_at, max(missed_at) as missed_at, min(owed_since) as owed_since,
       sum(owed_calls)::bigint as owed_calls, sum(cost)::bigint as cost
from (
    select f.account_id, f.number_id, sum(f.calls) as calls, sum(f.answered) as answered,
           sum(f.missed) as missed, sum(f.talk_us) as talk_us, min(f.started_at) as first_at,
           max(f.started_at) as last_at, max(f.talked_at) as talked_at,
           max(f.started_at) filter (where f.missed = 1) as missed_at,
           min(f.started_at) filter (where f.missed = 1 and f.started_at
               > coalesce(greatest(f.talked_at, o.talked_at, k.settled_at), '-infinity'))
               as owed_since,
           count(*) filter (where f.missed = 1 and f.started_at
               > coalesce(greatest(f.talked_at, o.talked_at, k.settled_at), '-infinity'))
               as owed_calls,
           sum(f.cost) as cost
    from (
        select account_id, customer_number_id as number_id, calls, answered, missed, talk_us,
               started_at, cost, max(started_at) filter (where answered = 1)
                   over (partition by account_id, customer_number_id) as talked_at
        from call_facts where customer_number_id is not null
    ) f
    left join contacts k on k.account_id = f.account_id and k.number_id = f.number_id
    left join contacts_kept o on o.account_id = f.account_id and o.number_id = f.number_id
    group by f.account_id, f.number_id
    union all
    select account_id, number_id, calls, answered, missed, talk_us, first_at, last_at, talked_at,
           missed_at, null, 0, cost
    from contacts_kept
) s
group by account_id, number_id;

create or replace function rebuild_contacts(of_account bigint default null) returns void
    language plpgsql as $$
begin
    lock table calls in share row exclusive mode;
    update contacts set calls = 0, answered = 0, missed = 0, talk_us = 0, first_at = null,
        last_at = null, talked_at = null, missed_at = null, owed_since = null, owed_calls = 0,
        cost = 0
    where of_account is null or account_id = of_account;
    insert into contacts as k (account_id, number_id, calls, answered, missed, talk_us, first_at,
        last_at, talked_at, missed_at, owed_since, owed_calls, cost)
    select account_id, number_id, calls, answered, missed, talk_us, first_at, last_at, talked_at,
        missed_at, owed_since, owed_calls, cost
    from contact_sums where of_account is null or account_id = of_account
    order by account_id, number_id
    on conflict (account_id, number_id) do update set calls = excluded.calls,
        answered = excluded.answered, missed = excluded.missed, talk_us = excluded.talk_us,
        first_at = excluded.first_at, last_at = excluded.last_at, talked_at = excluded.talked_at,
        missed_at = excluded.missed_at, owed_since = excluded.owed_since,
        owed_calls = excluded.owed_calls, cost = excluded.cost;
end $$;
