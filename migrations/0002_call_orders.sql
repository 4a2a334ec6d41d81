-- Calls ordered over the API. The row is written before anything is sent to Asterisk, so that a
-- repeated idempotency key never places a second call, not even after a crash in between.

create table call_orders (
    id               bigint generated always as identity primary key,
    account_id       bigint not null references accounts,
    idempotency_key  text,
    placed_by        text not null,
    extension        text not null,
    number           text not null,
    ring_seconds     integer not null,
    state            text not null check (state in ('sending', 'accepted', 'refused', 'uncertain')),
    detail           text not null default '',
    placed_at        timestamptz not null default now(),
    unique (account_id, idempotency_key)
);
