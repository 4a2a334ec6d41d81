-- Calls to the outside that went over a limit: those held until a person approves, and notices.

create table limit_holds (
    id               bigint generated always as identity primary key,
    account_id       bigint not null references accounts,
    extension        text not null default '',
    destination      text not null,
    state            text not null default 'waiting'
                         check (state in ('waiting', 'approved', 'refused')),
    reason           text not null,
    number           text not null,
    calls            integer not null default 0,
    asked_at         timestamptz not null,
    last_at          timestamptz not null,
    decided_by       text,
    decided_at       timestamptz,
    until            timestamptz,
    for_extension    text,
    for_destination  text,
    check ((state = 'waiting') = (decided_at is null))
);
comment on column limit_holds.extension is 'Who asks; empty = a number that the routing names.';
comment on column limit_holds.destination is
    'A country (GB), or a kind of number (premium, satellite, …).';
comment on column limit_holds.for_extension is
    'Whom the decision is for; empty = the whole account. for_destination likewise: empty = any.';
create unique index limit_holds_waiting on limit_holds (account_id, extension, destination)
    where state = 'waiting';
create index limit_holds_of_account on limit_holds (account_id, id desc);
create index limit_holds_in_force on limit_holds (until) where state <> 'waiting';

-- One row per limit, extension and destination for a quarter of an hour, with its calls counted.
create table limit_notices (
    id           bigint generated always as identity primary key,
    account_id   bigint not null references accounts,
    extension    text not null default '',
    destination  text not null,
    action       text not null check (action in ('warn', 'hold', 'block')),
    limit_name   text not null,
    reason       text not null,
    number       text not null,
    calls        integer not null,
    first_at     timestamptz not null,
    last_at      timestamptz not null,
    unique (account_id, extension, destination, action, limit_name, first_at)
);
create index limit_notices_of_account on limit_notices (account_id, id desc);
