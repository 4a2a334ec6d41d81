-- Numbers for sale, whose they were and are, what they cost, and wishes for others (004-11 to 004-13).

create table stock_numbers (
    id             bigint generated always as identity primary key,
    number         text not null unique check (number ~ '^\+[1-9][0-9]{4,14}$'),
    seller_id      bigint not null references accounts,
    provider       text not null default '',
    provider_ref   text not null default '',
    country        text not null check (country ~ '^[A-Z]{2}$'),
    area_code      text not null default '',
    area           text not null default '',
    type           text not null,
    capabilities   text[] not null,
    currency       text not null,
    setup_price    bigint not null check (setup_price between 0 and 1000000000000),
    monthly_price  bigint not null check (monthly_price between 0 and 1000000000000),
    state          text not null default 'available' check (state in ('available', 'held', 'ordering',
                       'assigned', 'testing', 'live', 'failed', 'returning', 'quarantined',
                       'withdrawn')),
    until          timestamptz,
    account_id     bigint references accounts,
    tested_at      timestamptz,
    test_detail    text not null default '',
    proven_at      timestamptz,
    proven_by      text not null default '' check (proven_by in ('', 'test', 'call')),
    changed_at     timestamptz not null default now(),
    check ((account_id is null) = (state in ('available', 'returning', 'quarantined', 'withdrawn'))),
    check ((until is null) = (state not in ('held', 'testing', 'quarantined')))
);
comment on column stock_numbers.provider is 'Of whom it is ordered and to whom it goes back; empty: '
    'the seller''s own stock.';
comment on column stock_numbers.until is 'The end of a hold, a test or a quarantine.';
comment on column stock_numbers.account_id is 'Whose it is, or for whom it is held.';
create index stock_numbers_of_seller on stock_numbers (seller_id, number);
create index stock_numbers_of_account on stock_numbers (account_id, number);
create index stock_numbers_under_way on stock_numbers (state, until)
    where state in ('ordering', 'testing', 'returning');

-- A number is an account's from `since` to `until`, at the prices of the day that it was bought.
create table number_leases (
    id             bigint generated always as identity primary key,
    number_id      bigint not null references stock_numbers,
    account_id     bigint not null references accounts,
    seller_id      bigint not null references accounts,
    currency       text not null,
    setup_price    bigint not null,
    monthly_price  bigint not null,
    since          timestamptz not null default now(),
    until          timestamptz,
    paid_month     date not null check (extract(day from paid_month) = 1),
    unpaid_since   timestamptz,
    cut_at         timestamptz,
    ended_by       text check (ended_by in ('released', 'unpaid', 'refused')),
    setup_transaction_id  bigint,
    check ((until is null) = (ended_by is null)),
    check ((unpaid_since is null) = (cut_at is null))
);
comment on column number_leases.paid_month is 'The last month that is paid, as its first day.';
comment on column number_leases.cut_at is 'When the number goes if it is still unpaid.';
-- Never sold twice, whatever the program does.
create unique index number_leases_open on number_leases (number_id) where until is null;
create index number_leases_due on number_leases (paid_month, id) where until is null;
create index number_leases_of_account on number_leases (account_id, id);

-- Once per number and month, whatever the program does.
create table number_charges (
    lease_id        bigint not null references number_leases,
    month           date not null,
    amount          bigint not null check (amount >= 0),
    transaction_id  bigint,
    charged_at      timestamptz not null default now(),
    primary key (lease_id, month)
);
comment on column number_charges.transaction_id is 'Of the ledger; null where nothing was to be paid.';

create table number_requests (
    id            bigint generated always as identity primary key,
    account_id    bigint not null references accounts,
    seller_id     bigint not null references accounts,
    state         text not null default 'requested' check (state in ('requested', 'offered',
                      'declined', 'fulfilled', 'withdrawn')),
    number        text check (number ~ '^\+[1-9][0-9]{4,14}$'),
    country       text check (country ~ '^[A-Z]{2}$'),
    area          text,
    pattern       text,
    type          text,
    note          text not null default '',
    requested_by  text not null,
    requested_at  timestamptz not null default now(),
    answer_by     timestamptz not null,
    offered_id    bigint references stock_numbers,
    offer_until   timestamptz,
    answer        text not null default '',
    answered_at   timestamptz,
    settled_at    timestamptz,
    check (state <> 'offered' or (offered_id is not null and offer_until is not null)),
    check (state <> 'fulfilled' or offered_id is not null)
);
comment on column number_requests.answer_by is 'When the seller should have answered.';
create index number_requests_of_account on number_requests (account_id, id desc);
create index number_requests_of_seller on number_requests (seller_id, id desc);
create index number_requests_open on number_requests (answer_by) where state = 'requested';

-- A number that is in a stock is routed by nobody but whoever bought it, whichever way the routing
-- is changed.
create function refuse_dids_for_sale() returns trigger language plpgsql as $$
begin
    if exists (
        select from stock_numbers s
        where s.number = new.name
          and (s.account_id is distinct from new.account_id
               or s.state not in ('ordering', 'assigned', 'testing', 'live', 'failed'))
    ) then
        raise exception 'a number for sale cannot be routed' using
            errcode = 'check_violation', constraint = 'routing_dids_not_for_sale', detail = new.name;
    end if;
    return new;
end $$;
create trigger routing_dids_not_for_sale before insert or update of name, account_id
    on routing_objects for each row when (new.kind = 'did') execute function refuse_dids_for_sale();
