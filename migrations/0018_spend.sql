-- Spend guard: who may spend what it does not have, and news of wallets for those who keep balances
-- in memory (docs/spend.md).

create table spend_settings (
    account_id    bigint primary key references accounts on delete cascade,
    credit_limit  bigint check (credit_limit > 0),
    changed_at    timestamptz not null default now(),
    changed_by    text not null
);
comment on table spend_settings is 'Accounts that pay afterwards. Every other one pays beforehand.';
comment on column spend_settings.credit_limit is
    'How far the wallet may go below zero, in minor units; null = any far.';

create function tell_of_wallet() returns trigger language plpgsql as $$
begin
    perform pg_notify('callctl_wallets', new.account_id::text);
    return null;
end $$;
create trigger books_told after insert or update of balance, held on books
    for each row when (new.kind = 'wallet') execute function tell_of_wallet();

-- What is set aside for calls that go on, and where to find it again after a restart.
create index ledger_holds_of_calls on ledger_holds (reference text_pattern_ops)
    where released_at is null;
