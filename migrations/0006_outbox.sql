-- What has happened, for whoever must be told: webhooks, the live stream, notices. Written in the
-- transaction of what it tells of, so that nothing is told that did not happen, nor forgotten.

create table outbox (
    id          bigint generated always as identity primary key,
    -- Ids are taken before the commit, so they may become visible out of order. A reader goes by
    -- (txid, id), and only as far as no transaction that is still under way can add before it.
    txid        xid8 not null default pg_current_xact_id(),
    account_id  bigint not null references accounts on delete cascade,
    kind        text not null,
    subject     text not null,
    data        jsonb not null,
    created_at  timestamptz not null default clock_timestamp()
);
create index outbox_in_order on outbox (txid, id);
comment on column outbox.subject is
    'What the event is about, as call:12: events of one subject are told in their order.';
