-- R004-02 to R004-10: packages of seats, quotes for them, members.

alter table accounts
    add column package_required boolean not null default false,
    add check (not package_required or kind <> 'operator');
comment on column accounts.package_required is
    'Set by the seller, the account above: it may use the switchboard with an active package only.';

create table package_terms (
    seller_id      bigint primary key references accounts on delete cascade,
    prices         jsonb not null,
    reminder_days  integer[] not null,
    changed_at     timestamptz not null default now(),
    changed_by     text not null
);
comment on table package_terms is 'What an account asks of its customers; without a row the defaults.';
comment on column package_terms.prices is 'Of a seat and month, in minor units by currency.';

create table packages (
    account_id     bigint primary key references accounts on delete cascade,
    seats          integer not null check (seats > 0),
    since          timestamptz not null,
    months         integer not null check (months > 0),
    until          timestamptz not null check (until > since),
    over           boolean not null default false,
    reminded_days  integer,
    changed_at     timestamptz not null default now()
);
comment on column packages.since is 'When the term began: its end is so many calendar months later.';
comment on column packages.over is 'The end of the term was noticed, and told.';
comment on column packages.reminded_days is 'The last reminder: so many days before the end.';
create index packages_by_end on packages (until) where not over;

create table package_members (
    user_id     bigint primary key references users on delete cascade,
    account_id  bigint not null references packages on delete cascade,
    added_at    timestamptz not null default now(),
    added_by    text not null
);
create index package_members_of_account on package_members (account_id, user_id);

create table package_quotes (
    id              bigint generated always as identity primary key,
    account_id      bigint not null references accounts on delete cascade,
    seller_id       bigint not null references accounts,
    purchase        text not null check (purchase in ('activate', 'extra_seats', 'renew')),
    seats           integer not null check (seats > 0),
    months          integer not null check (months >= 0),
    price           bigint not null check (price >= 0),
    currency        text not null,
    lines           jsonb not null,
    amount          bigint not null check (amount >= 0),
    until           timestamptz not null,
    basis           jsonb not null,
    created_at      timestamptz not null,
    created_by      text not null,
    expires_at      timestamptz not null check (expires_at > created_at),
    paid_at         timestamptz,
    paid_by         text,
    transaction_id  bigint references ledger_transactions
);
comment on table package_quotes is 'One that is paid is the order: it keeps price and lines.';
comment on column package_quotes.basis is 'The package that it was made for; paid for another: refused.';
create index package_quotes_of_account on package_quotes (account_id, id desc);
create index package_quotes_unpaid on package_quotes (expires_at) where paid_at is null;

-- What the routing keeps in memory of accounts that need a package.
create view package_rights as
select a.id as account_id, p.until, coalesce(p.over, false) as over,
       array(select u.extension from package_members m join users u on u.id = m.user_id
             where m.account_id = a.id and u.active and u.extension is not null
             order by u.extension) as extensions
from accounts a left join packages p on p.account_id = a.id
where a.package_required;

-- Whoever blocks a member or changes the extension need not know of packages.
create function tell_routing_of_member() returns trigger language plpgsql as $$
begin
    if exists (select from package_members where user_id = new.id) then
        perform pg_notify('callctl_routing', new.account_id::text);
    end if;
    return null;
end
$$;
create trigger tell_routing_of_member after update of extension, active on users
for each row when (old.extension is distinct from new.extension or old.active <> new.active)
execute function tell_routing_of_member();
