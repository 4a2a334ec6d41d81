-- Clients: people and companies outside, their numbers, types, groups, and what a call keeps of them.

create table client_types (
    id          bigint generated always as identity primary key,
    account_id  bigint not null references accounts on delete cascade,
    name        text not null,
    position    integer not null,
    retired     boolean not null default false,
    unique (account_id, name)
);

create function make_client_types(of_account bigint) returns void language sql as $$
insert into client_types (account_id, name, position)
select of_account, name, position
from unnest(array['potential', 'already using our services', 'problem', 'very important',
                  'individual', 'organisation', 'VIP']) with ordinality t(name, position)
$$;
create function make_client_types_of_row() returns trigger language plpgsql as $$
begin
    perform make_client_types(new.id);
    return null;
end $$;
create trigger accounts_client_types after insert on accounts
    for each row execute function make_client_types_of_row();
select make_client_types(id) from accounts;

-- An account without a row registers nobody by itself.
create table client_settings (
    account_id           bigint primary key references accounts on delete cascade,
    register             boolean not null,
    register_directions  text[] not null
        check (register_directions <@ array['inbound', 'outbound'])
);
comment on column client_settings.register is
    'Whether an unknown outside party becomes a client when its call is stored.';

-- What a search goes by: all pieces of three letters of the words, and, marked by ^, the first one
-- and two letters of each word. No extension is needed (embedded PostgreSQL has no pg_trgm).
create function client_grams(search text) returns text[]
    -- Ten times as fast as the same in one statement, which is set up anew for each row.
    language plpgsql immutable parallel safe as $$
declare
    word text;
    grams text[] := '{}';
begin
    foreach word in array string_to_array(search, ' ') loop
        grams := grams || ('^' || left(word, 1)) || ('^' || left(word, 2));
        for i in 1 .. length(word) - 2 loop
            grams := grams || substr(word, i, 3);
        end loop;
    end loop;
    return grams;
end $$;

create table clients (
    id             bigint generated always as identity primary key,
    account_id     bigint not null references accounts on delete cascade,
    kind           text not null check (kind in ('person', 'company')),
    name           text not null check (name <> ''),
    type_id        bigint references client_types,
    service_level  text not null default '',
    nature         text not null default '',
    address        text not null default '',
    email          text not null default '',
    owner_id       bigint references users on delete set null,
    notes          text not null default '',
    registered     boolean not null default false,
    sort_key       text collate "C" not null,
    search         text not null,
    grams          text[] not null generated always as (client_grams(search)) stored,
    created_at     timestamptz not null default now(),
    changed_at     timestamptz not null default now()
);
comment on column clients.nature is 'What kind of company it is: its legal form, its trade.';
comment on column clients.registered is 'Made by callctl from a call, not by a person.';
comment on column clients.search is
    'Name, address and numbers as words, transliterated: made once, when the client is saved.';
create index clients_by_name on clients (account_id, sort_key, id);
create index clients_by_age on clients (account_id, id);
create index clients_by_type on clients (account_id, type_id, sort_key, id);
create index clients_by_owner on clients (account_id, owner_id, sort_key, id)
    where owner_id is not null;
create index clients_owned on clients (owner_id) where owner_id is not null;
create index clients_companies on clients (account_id, sort_key, id) where kind = 'company';
create index clients_grams on clients using gin (grams);

-- A number belongs to one client of an account at most.
create table client_numbers (
    account_id  bigint not null references accounts on delete cascade,
    number_id   bigint not null references numbers,
    client_id   bigint not null references clients on delete cascade,
    label       text not null default '',
    position    smallint not null,
    primary key (account_id, number_id)
);
create index client_numbers_of_client on client_numbers (client_id, position);

-- People are with companies, many to many. A company is never with another, so that there are no
-- circles: whoever writes holds the locks of both rows and looks at their kinds.
create table client_companies (
    person_id   bigint not null references clients on delete cascade,
    company_id  bigint not null references clients on delete cascade,
    primary key (person_id, company_id),
    check (person_id <> company_id)
);
create index client_companies_contacts on client_companies (company_id, person_id);

create table client_groups (
    id          bigint generated always as identity primary key,
    account_id  bigint not null references accounts on delete cascade,
    name        text not null check (name <> ''),
    unique (account_id, name)
);
create table client_group_members (
    group_id   bigint not null references client_groups on delete cascade,
    client_id  bigint not null references clients on delete cascade,
    primary key (group_id, client_id)
);
create index client_group_members_of_client on client_group_members (client_id);

-- Where a client went that was merged into another.
create table client_merges (
    loser_id    bigint primary key,
    account_id  bigint not null references accounts on delete cascade,
    winner_id   bigint not null references clients on delete cascade,
    merged_at   timestamptz not null default now()
);
create index client_merges_of_winner on client_merges (winner_id);

-- The type that a call's client had when the call was stored (R001-19). Who the client is follows
-- from the number, at any time.
create table call_clients (
    call        bigint primary key references calls on delete cascade,
    account_id  bigint not null,
    number_id   bigint not null,
    type_id     bigint not null references client_types,
    started_at  timestamptz not null
);
create index call_clients_by_type on call_clients (account_id, type_id, started_at desc, call desc);
