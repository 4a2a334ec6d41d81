-- Words of recordings; where people sit; tokens in addresses of webhooks leave the logs.

-- Part 3's first weeks wrote whole addresses. What they were stays in `webhooks`.
update audit
set before = case when before ? 'url' then jsonb_set(before, '{url}', to_jsonb(
        regexp_replace(before ->> 'url', '[?#].*', '?hidden'))) else before end,
    after = case when after ? 'url' then jsonb_set(after, '{url}', to_jsonb(
        regexp_replace(after ->> 'url', '[?#].*', '?hidden'))) else after end
where action like 'webhook.%' and (before ->> 'url' ~ '[?#]' or after ->> 'url' ~ '[?#]');
update notices set text = regexp_replace(text, '[?#]\S*', '?hidden')
where kind = 'webhook_paused' and text ~ '[?#]';

-- What was said in a recording, by whatever heard it. Never of an encrypted one: words would be
-- read here.
create table transcripts (
    recording   bigint primary key references recordings on delete cascade,
    account_id  bigint not null references accounts,
    engine      text not null,
    made_at     timestamptz not null default now(),
    spoken      jsonb not null,
    text        text not null,
    words       tsvector not null generated always as (to_tsvector('simple', text)) stored
);
comment on column transcripts.spoken is 'Stretches of talk: side, begin, end (seconds), words.';
create index transcripts_words on transcripts using gin (words);
create index transcripts_of_account on transcripts (account_id);

-- Accesses are deleted by their age (`recording_access_days`), the oldest first.
create index recording_accesses_by_time on recording_accesses using brin (at);

-- Clients with several numbers, which reports add up (positions begin at 0).
create index client_numbers_further on client_numbers (account_id, client_id) where position > 0;

-- R003-20: at which phone somebody sits, for as long as the session that said so.
create table phone_bindings (
    account_id  bigint not null references accounts on delete cascade,
    extension   text not null,
    user_id     bigint not null unique references users on delete cascade,
    session     bigint not null unique references sessions (id) on delete cascade,
    bound_at    timestamptz not null default now(),
    primary key (account_id, extension)
);
