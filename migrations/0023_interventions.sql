-- What people did to calls while they went on, and where people sit.

-- The row stands before Asterisk is told (docs/live.md): nobody is listened to without it.
create table interventions (
    id              bigint primary key generated always as identity,
    account_id      bigint not null references accounts on delete cascade,
    call_id         text not null,
    kind            text not null
        check (kind in ('hang_up', 'transfer', 'listen', 'whisper', 'barge')),
    extension       text,
    target          text,
    author          text not null,
    idempotency_key text,
    state           text not null default 'sending'
        check (state in ('sending', 'accepted', 'refused', 'uncertain')),
    detail          text not null default '',
    at              timestamptz not null default now(),
    unique (account_id, author, idempotency_key)
);
comment on column interventions.extension is 'Whose side of the call it was done to.';
comment on column interventions.target is
    'Of a transfer the number; of listening the extension that listens.';
create index interventions_of_call on interventions (account_id, call_id);

create table workplaces (
    id          bigint primary key generated always as identity,
    account_id  bigint not null references accounts on delete cascade,
    x           smallint not null check (x between 0 and 11),
    y           smallint not null check (y between 0 and 39),
    label       text not null default '',
    extension   text,
    unique (account_id, x, y)
);
create unique index workplaces_of_extension on workplaces (account_id, extension);
