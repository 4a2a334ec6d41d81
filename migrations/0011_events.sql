-- Telling others: live events once each, webhooks and their deliveries, calls that last too long,
-- notices for reviewers, notes on calls.

-- Events of calls that go on are found again when the journal is read again: told once by this key.
alter table outbox add column once text;
create unique index outbox_once on outbox (once) where once is not null;
create index outbox_of_account on outbox (account_id, txid, id);
create index outbox_by_time on outbox using brin (created_at);

create table outbox_readers (
    name     text primary key,
    txid     xid8 not null,
    id       bigint not null
);
comment on table outbox_readers is
    'Up to where each job that works through the outbox has come. Locked while it works, so that '
    'of several daemons one does it.';

create table webhooks (
    id                bigint generated always as identity primary key,
    account_id        bigint not null references accounts on delete cascade,
    url               text not null,
    kinds             text[] not null,
    active            boolean not null default true,
    secret            text not null,
    old_secret        text,
    old_secret_until  timestamptz,
    created_at        timestamptz not null default now(),
    created_by        text not null,
    failing_since     timestamptz,
    paused_at         timestamptz,
    paused_reason     text
);
create index webhooks_of_account on webhooks (account_id, id);
comment on column webhooks.paused_at is 'When callctl itself made it inactive, after a long failure.';

create table webhook_deliveries (
    id            bigint generated always as identity primary key,
    webhook_id    bigint not null references webhooks on delete cascade,
    event_id      bigint not null,
    kind          text not null,
    subject       text not null,
    body          text not null,
    replayed      boolean not null default false,
    state         text not null default 'waiting' check (state in ('waiting', 'delivered', 'failed')),
    attempts      integer not null default 0,
    next_at       timestamptz not null default now(),
    created_at    timestamptz not null default now(),
    last_at       timestamptz,
    status        integer,
    error         text,
    response      text
);
create unique index webhook_deliveries_once on webhook_deliveries (webhook_id, event_id)
    where not replayed;
create index webhook_deliveries_log on webhook_deliveries (webhook_id, id desc);
create index webhook_deliveries_due on webhook_deliveries (next_at) where state = 'waiting';
create index webhook_deliveries_in_order on webhook_deliveries (webhook_id, subject, id)
    where state = 'waiting';
create index webhook_deliveries_old on webhook_deliveries (created_at);

-- R001-15: what counts as too long, and the threshold that a call passed.
create table too_long_settings (
    account_id  bigint primary key references accounts on delete cascade,
    body        jsonb not null,
    changed_at  timestamptz not null default now(),
    changed_by  text not null
);
alter table calls add column too_long_seconds integer;
comment on column calls.too_long_seconds is
    'The threshold (seconds of talk) that the call passed; null = it passed none.';
create index calls_too_long on calls (account_id, started_at desc, id desc)
    where too_long_seconds is not null;

-- R001-16: what a person should look at.
create table notices (
    id               bigint generated always as identity primary key,
    account_id       bigint not null references accounts on delete cascade,
    kind             text not null,
    subject          text not null,
    text             text not null,
    data             jsonb not null default '{}',
    extensions       text[] not null default '{}',
    call             bigint references calls on delete set null,
    raised_at        timestamptz not null default now(),
    acknowledged_at  timestamptz,
    acknowledged_by  text,
    note             text,
    unique (account_id, kind, subject)
);
create index notices_of_account on notices (account_id, id desc);
create index notices_open on notices (account_id, id desc) where acknowledged_at is null;
create index notices_unconnected on notices (raised_at) where call is null and kind = 'too_long';
create index notices_of_call on notices (call) where call is not null;

create table notice_mails (
    id         bigint generated always as identity primary key,
    notice     bigint not null references notices on delete cascade,
    recipient  text not null,
    state      text not null default 'waiting' check (state in ('waiting', 'sent', 'failed')),
    attempts   integer not null default 0,
    next_at    timestamptz not null default now(),
    error      text,
    unique (notice, recipient)
);
create index notice_mails_due on notice_mails (next_at) where state = 'waiting';

-- R003-09: each call's problem and solution. A change is a new row: who wrote what stays.
create table call_notes (
    id          bigint generated always as identity primary key,
    call        bigint not null references calls on delete cascade,
    account_id  bigint not null references accounts,
    problem     text not null,
    solution    text not null,
    written_by  text not null,
    written_at  timestamptz not null default clock_timestamp()
);
create index call_notes_of_call on call_notes (call, id desc);
