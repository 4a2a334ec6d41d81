-- Accounts, people, machines' tokens, routing objects, the journal's position, calls.

create table accounts (
    id          bigint generated always as identity primary key,
    parent_id   bigint references accounts,
    code        text not null unique check (code ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
    name        text not null,
    kind        text not null check (kind in ('operator', 'reseller', 'enterprise')),
    timezone    text not null default 'UTC',
    country     text not null default 'US' check (country ~ '^[A-Z]{2}$'),
    settings    jsonb not null default '{}',
    created_at  timestamptz not null default now()
);

create table users (
    id            bigint generated always as identity primary key,
    account_id    bigint not null references accounts,
    login         text not null unique,
    name          text not null default '',
    role          text not null,
    password_hash text not null,
    active        boolean not null default true,
    created_at    timestamptz not null default now()
);

create table sessions (
    token_hash  bytea primary key,
    user_id     bigint not null references users,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null
);

create table tokens (
    id          bigint generated always as identity primary key,
    account_id  bigint not null references accounts,
    name        text not null,
    token_hash  bytea not null unique,
    scopes      text[] not null,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz,
    revoked_at  timestamptz
);

-- Routing: one row per object, its body as the declared structure of its kind. Validated as a
-- whole before it is written, so that a row never points at nothing (docs/adr/0004).
create table routing_objects (
    account_id  bigint not null references accounts,
    kind        text not null,
    name        text not null,
    position    integer not null default 0,
    body        jsonb not null,
    primary key (account_id, kind, name)
);
create unique index routing_endpoints on routing_objects ((body ->> 'endpoint'))
    where kind in ('extension', 'trunk');
create unique index routing_dids on routing_objects (name) where kind = 'did';

create table routing_revisions (
    id          bigint generated always as identity primary key,
    account_id  bigint not null references accounts,
    applied_at  timestamptz not null default now(),
    applied_by  text not null,
    document    jsonb not null
);
create index routing_revisions_of_account on routing_revisions (account_id, id desc);

create table sip_credentials (
    endpoint    text primary key,
    account_id  bigint not null references accounts,
    username    text not null,
    secret      text not null
);

-- What the strategies with memory remember across restarts.
create table hunt_memory (
    account_id     bigint not null references accounts,
    hunt_group     text not null,
    first_offered  text not null,
    primary key (account_id, hunt_group)
);

create table journal_positions (
    systemname  text primary key,
    generation  text not null,
    position    bigint not null,
    updated_at  timestamptz not null default now()
);
comment on table journal_positions is
    'Where reading resumes: before this byte every row is part of a stored call.';

create table journal_quarantine (
    id          bigint generated always as identity primary key,
    systemname  text not null,
    generation  text not null,
    position    bigint not null,
    reason      text not null,
    raw         bytea not null,
    found_at    timestamptz not null default now(),
    unique (systemname, generation, position)
);

-- Every number once. `grams` holds its 3-digit pieces, so that any part of a number is found
-- through a plain GIN index, without an extension.
create table numbers (
    id      bigint generated always as identity primary key,
    number  text not null unique,
    grams   text[] not null
);
create index numbers_grams on numbers using gin (grams);

create table calls (
    id                     bigint generated always as identity primary key,
    account_id             bigint not null references accounts,
    call_id                text not null unique,
    linkedids              text[] not null,
    direction              text not null check (direction in ('inbound', 'outbound', 'internal')),
    from_number_id         bigint references numbers,
    from_name              text,
    extension              text,
    to_number_id           bigint references numbers,
    answered_by            text,
    destination_number_id  bigint references numbers,
    customer_number_id     bigint references numbers,
    did                    text,
    route                  text,
    trunk                  text,
    plan_id                text,
    why                    text not null default '',
    started_at             timestamptz not null,
    answered_at            timestamptz,
    ended_at               timestamptz not null,
    wait_seconds           double precision not null,
    talk_seconds           double precision not null,
    total_seconds          double precision not null,
    disposition            text not null check (disposition in ('ANSWERED', 'CANCELLED', 'NO_ANSWER',
                                'BUSY', 'REJECTED', 'FAILED', 'UNKNOWN')),
    missed                 boolean not null,
    has_recording          boolean not null,
    tried                  text[] not null,
    completeness           text not null check (completeness in ('complete', 'repaired', 'truncated')),
    changed_at             timestamptz not null default clock_timestamp()
);
create index calls_by_time on calls (account_id, started_at desc, id desc);
create index calls_by_from on calls (from_number_id, started_at desc, id desc);
create index calls_by_to on calls (to_number_id, started_at desc, id desc);
create index calls_by_change on calls (account_id, changed_at, id);

-- Every extension that had a part in a call (called, was tried, answered), so that an extension's
-- page is read in order from one index.
create table call_extensions (
    account_id  bigint not null,
    extension   text not null,
    started_at  timestamptz not null,
    call        bigint not null references calls on delete cascade,
    primary key (account_id, extension, started_at, call)
);
create index call_extensions_of_call on call_extensions (call);

create table legs (
    call        bigint not null references calls on delete cascade,
    position    smallint not null,
    uniqueid    text not null unique,
    channel     text not null,
    endpoint    text,
    extension   text,
    number      text,
    started_at  timestamptz not null,
    answered_at timestamptz,
    ended_at    timestamptz,
    cause       smallint,
    primary key (call, position)
);

create table attempts (
    call        bigint not null references calls on delete cascade,
    position    smallint not null,
    extension   text,
    number      text,
    endpoint    text,
    started_at  timestamptz not null,
    seconds     double precision not null,
    result      text not null,
    cause       smallint not null,
    primary key (call, position)
);

create table recordings (
    id          bigint generated always as identity primary key,
    call        bigint not null references calls on delete cascade,
    account_id  bigint not null references accounts,
    file        text not null unique,
    started_at  timestamptz not null,
    state       text not null default 'pending' check (state in ('pending', 'available', 'missing')),
    path        text,
    seconds     double precision,
    bytes       bigint,
    available_at timestamptz
);
create index recordings_of_call on recordings (call);
create index recordings_pending on recordings (id) where state = 'pending';

-- The journal rows of each call, so that a late row can rebuild it and anyone can audit it.
create table call_rows (
    call        bigint primary key references calls on delete cascade,
    rows        bytea not null
);
