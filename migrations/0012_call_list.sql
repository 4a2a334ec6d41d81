-- The call list: how calls look, and filters that are kept.

-- R001-06, R001-09. An account without a row has the defaults only.
create table display_hints (
    account_id  bigint primary key references accounts on delete cascade,
    rules       jsonb not null,
    changed_at  timestamptz not null default now()
);

create table saved_filters (
    id          bigint generated always as identity primary key,
    account_id  bigint not null references accounts on delete cascade,
    user_id     bigint references users on delete cascade,
    name        text not null,
    shared      boolean not null,
    filters     jsonb not null,
    created_at  timestamptz not null default now(),
    changed_at  timestamptz not null default now()
);
comment on column saved_filters.user_id is 'Whose it is; null: the machine''s, kept by its tokens.';
comment on column saved_filters.filters is 'Filters of the call list by name, without the defaults.';
create unique index saved_filters_by_name on saved_filters (account_id, user_id, lower(name))
    nulls not distinct;
create index saved_filters_of_user on saved_filters (user_id, id) where user_id is not null;
create index saved_filters_shared on saved_filters (account_id, id) where shared;
