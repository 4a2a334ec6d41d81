-- The ledger: double entry, append-only, chained (R000-10 to R000-12). Whole minor units only.

alter table accounts
    add column currency text not null default 'USD' check (currency ~ '^([A-Z]{3}|COIN)$');
comment on column accounts.currency is 'ISO 4217 or COIN (callctl.core.money.currencies).';

create table books (
    id          bigint generated always as identity primary key,
    account_id  bigint not null references accounts on delete cascade,
    kind        text not null check (kind in ('wallet', 'income', 'issuance', 'clearing')),
    currency    text not null,
    balance     bigint not null default 0,
    held        bigint not null default 0 check (held = 0 or held > 0 and kind = 'wallet'),
    last_seq    bigint not null default 0,
    last_hash   bytea not null default '',
    unique (account_id, kind, currency)
);
comment on table books is 'Where money is. An account has one wallet; contra books as needed.';
create unique index books_wallet on books (account_id) where kind = 'wallet';

create table ledger_transactions (
    id          bigint generated always as identity primary key,
    account_id  bigint not null references accounts,
    currency    text not null,
    kind        text not null,
    reference   text not null,
    once        text,
    note        text not null,
    overdraw    boolean not null,
    author_id   bigint references users,
    author      text not null
);
comment on column ledger_transactions.once is 'Of several with the same, only the first is posted.';
create unique index ledger_transactions_once on ledger_transactions (account_id, once)
    where once is not null;
create index ledger_transactions_by_reference on ledger_transactions (account_id, reference, id);

create table ledger_entries (
    book_id         bigint not null references books,
    seq             bigint not null check (seq > 0),
    transaction_id  bigint not null references ledger_transactions,
    posted_at       timestamptz not null,
    amount          bigint not null check (amount <> 0),
    balance         bigint not null,
    class           text check (class in ('in', 'out')),
    source          text check (source in ('manual', 'system')),
    corrects        bigint check (corrects < seq),
    hash            bytea not null check (octet_length(hash) = 32),
    primary key (book_id, seq),
    foreign key (book_id, corrects) references ledger_entries,
    check ((class is null) = (source is null)),
    constraint in_is_never_system check (not (class = 'in' and source = 'system')),
    constraint in_is_a_gain check (class <> 'in' or amount > 0),
    constraint out_is_a_loss check (class <> 'out' or amount < 0 or corrects is not null),
    constraint corrections_are_out_and_system check (
        corrects is null or class is not distinct from 'out' and source is not distinct from 'system')
);
comment on column ledger_entries.seq is 'The number of the entry in its book: 1, 2, 3, … no gaps.';
comment on column ledger_entries.balance is 'The book''s, after this entry.';
comment on column ledger_entries.corrects is 'The entry of the same book that this takes back.';
create unique index ledger_entries_of_transaction on ledger_entries (transaction_id, book_id);
create index ledger_entries_by_time on ledger_entries (book_id, posted_at desc, seq desc);
create index ledger_entries_corrected on ledger_entries (book_id, corrects)
    where corrects is not null;

create table ledger_holds (
    id           bigint generated always as identity primary key,
    account_id   bigint not null references accounts on delete cascade,
    book_id      bigint not null references books on delete cascade,
    amount       bigint not null check (amount > 0),
    reference    text not null,
    created_at   timestamptz not null default now(),
    released_at  timestamptz
);
comment on table ledger_holds is 'Money set aside in a wallet, to be spent or let go.';
create index ledger_holds_open on ledger_holds (book_id) where released_at is null;
create index ledger_holds_of_account on ledger_holds (account_id, id);

-- Nothing that was posted is ever changed.
create function refuse_change_of_ledger() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger append_only before update or delete or truncate on ledger_transactions
    for each statement execute function refuse_change_of_ledger();
create trigger append_only before update or delete or truncate on ledger_entries
    for each statement execute function refuse_change_of_ledger();

-- Checked at the end of the statement that adds entries, so that a transaction is never seen
-- unbalanced, not even by whoever posts it. A trigger for each row, deferred to the commit, would
-- ask once per entry; this asks once per statement.
create function check_ledger_entries() returns trigger language plpgsql as $$
declare
    wrong text;
begin
    select format('transaction %s does not balance', n.transaction_id) into wrong
    from (select transaction_id, sum(amount) as total, count(*) as lines
          from added group by transaction_id) n
    where n.total <> 0 or n.lines < 2 or n.lines <> (
        select count(*) from ledger_entries e where e.transaction_id = n.transaction_id)
    limit 1;
    if wrong is null then
        select format('entry %s of book %s does not follow from the one before', a.seq, a.book_id)
        into wrong
        from added a
        where a.balance - a.amount is distinct from case a.seq when 1 then 0 else (
            select p.balance from ledger_entries p
            where p.book_id = a.book_id and p.seq = a.seq - 1) end
        limit 1;
    end if;
    if wrong is null then
        select format('entry %s does not fit into book %s', a.seq, a.book_id) into wrong
        from added a
            join books b on b.id = a.book_id
            join ledger_transactions t on t.id = a.transaction_id
        where a.seq > b.last_seq or b.currency <> t.currency
            or (b.kind = 'wallet') <> (a.class is not null)
            or b.kind = 'wallet' and a.amount < 0 and a.balance < 0 and not t.overdraw
        limit 1;
    end if;
    if wrong is not null then
        raise exception '%', wrong using errcode = 'check_violation';
    end if;
    return null;
end $$;
create trigger entries_balance after insert on ledger_entries referencing new table as added
    for each statement execute function check_ledger_entries();

-- At the commit a book says what its last entry says, and what its open holds sum to.
create function check_book() returns trigger language plpgsql as $$
declare
    book books;
begin
    select * into book from books where id = new.id;
    if found and (
        case book.last_seq when 0 then book.balance <> 0 or book.last_hash <> '' else not exists (
            select from ledger_entries e
            where e.book_id = book.id and e.seq = book.last_seq
              and e.balance = book.balance and e.hash = book.last_hash) end
        or exists (
            select from ledger_entries e
            where e.book_id = book.id and e.seq = book.last_seq + 1)
        or book.held <> (
            select coalesce(sum(amount), 0) from ledger_holds
            where book_id = book.id and released_at is null)
    ) then
        raise exception 'book % does not say what its entries and holds say', book.id
            using errcode = 'check_violation';
    end if;
    return null;
end $$;
create constraint trigger book_is_its_entries after insert or update on books
    deferrable initially deferred for each row execute function check_book();

-- Every account has a wallet, in its currency; money that is in it keeps that.
create function make_wallet() returns trigger language plpgsql as $$
begin
    insert into books (account_id, kind, currency) values (new.id, 'wallet', new.currency);
    return null;
end $$;
create trigger accounts_wallet after insert on accounts
    for each row execute function make_wallet();
insert into books (account_id, kind, currency)
select id, 'wallet', currency from accounts order by id;

create function change_wallet_currency() returns trigger language plpgsql as $$
begin
    update books set currency = new.currency
    where account_id = new.id and kind = 'wallet' and last_seq = 0 and held = 0;
    if not found then
        raise exception 'the wallet of account % has entries in %', new.id, old.currency
            using errcode = 'restrict_violation', constraint = 'accounts_currency';
    end if;
    return null;
end $$;
create trigger accounts_currency after update of currency on accounts
    for each row when (old.currency is distinct from new.currency)
    execute function change_wallet_currency();

-- Answers to requests that carried an Idempotency-Key, written with what they did.
create table idempotency_keys (
    account_id  bigint not null references accounts on delete cascade,
    sender      text not null,
    key         text not null,
    request     bytea not null,
    answer      jsonb,
    created_at  timestamptz not null default now(),
    primary key (account_id, sender, key)
);
comment on column idempotency_keys.request is 'SHA-256 of operation and body.';
create index idempotency_keys_by_age on idempotency_keys (created_at);
