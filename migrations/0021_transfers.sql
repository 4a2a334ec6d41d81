-- Transfers to the superior (R000-02 to R000-08), payments and invoices (R002-11).

create table transfers (
    id              bigint generated always as identity primary key,
    account_id      bigint not null references accounts on delete cascade,
    target_id       bigint not null references accounts check (target_id <> account_id),
    amount          bigint not null check (amount > 0),
    currency        text not null,
    note            text not null,
    state           text not null default 'awaiting_audit'
                    check (state in ('awaiting_audit', 'approved', 'rejected')),
    hold_id         bigint not null unique references ledger_holds,
    transaction_id  bigint unique references ledger_transactions,
    created_by_id   bigint references users,
    created_by      text not null,
    created_at      timestamptz not null default now(),
    audited_by_id   bigint references users,
    audited_by      text,
    audited_at      timestamptz,
    audit_note      text not null default '',
    check ((state = 'approved') = (transaction_id is not null)),
    check ((state = 'awaiting_audit') = (audited_at is null)),
    constraint four_eyes check (audited_by_id <> created_by_id)
);
comment on column transfers.created_by_id is 'The person who answers for it; null: the machine.';
create index transfers_of_account on transfers (account_id, id desc);

create function refuse_change_of_approved() returns trigger language plpgsql as $$
begin
    raise exception 'transfer % is approved', old.id using errcode = 'restrict_violation';
end $$;
create trigger approved_stays before update or delete on transfers
    for each row when (old.state = 'approved') execute function refuse_change_of_approved();

create table payments (
    id              bigint generated always as identity primary key,
    account_id      bigint not null references accounts on delete cascade,
    provider        text not null,
    provider_ref    text,
    amount          bigint not null check (amount > 0),
    currency        text not null,
    state           text not null default 'started'
                    check (state in ('started', 'waiting', 'paid', 'failed')),
    pay_url         text,
    transaction_id  bigint unique references ledger_transactions,
    created_by_id   bigint references users,
    created_by      text not null,
    created_at      timestamptz not null default now(),
    changed_at      timestamptz not null default now(),
    unique (provider, provider_ref),
    check ((state = 'paid') = (transaction_id is not null))
);
comment on column payments.provider_ref is 'The provider''s own name of it, once it has one.';
create index payments_of_account on payments (account_id, id desc);

create table invoice_requests (
    id              bigint generated always as identity primary key,
    account_id      bigint not null references accounts on delete cascade,
    seller_id       bigint not null references accounts,
    amount          bigint not null check (amount > 0),
    currency        text not null,
    legal_name      text not null,
    tax_number      text not null,
    address         text not null,
    note            text not null,
    state           text not null default 'requested'
                    check (state in ('requested', 'invoiced', 'paid', 'declined')),
    invoice_number  text,
    reason          text not null default '',
    transaction_id  bigint unique references ledger_transactions,
    created_by      text not null,
    created_at      timestamptz not null default now(),
    changed_at      timestamptz not null default now(),
    check ((state = 'paid') = (transaction_id is not null))
);
comment on table invoice_requests is 'A legal entity asks its superior for an invoice.';
create index invoice_requests_of_account on invoice_requests (account_id, id desc);
create index invoice_requests_of_seller on invoice_requests (seller_id, id desc);
create unique index invoice_requests_by_number on invoice_requests (seller_id, invoice_number)
    where invoice_number is not null;
