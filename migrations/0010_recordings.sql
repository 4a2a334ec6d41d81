-- Recordings: their form on disk, their figures, who listened, how long they stay, and why longer.

-- What encrypts an account's recordings, itself encrypted ("wrapped") by the master key, which is
-- never in the database.
create table recording_keys (
    id          bigint generated always as identity primary key,
    account_id  bigint not null unique references accounts,
    master      text not null,
    wrapped     bytea not null,
    created_at  timestamptz not null default now()
);
comment on column recording_keys.master is 'Names the master key that wrapped it: a hash, no secret.';

create table recording_settings (
    account_id      bigint primary key references accounts,
    format          text check (format in ('wav', 'opus', 'both')),
    encrypt         boolean not null default false,
    recording_days  integer not null default 0 check (recording_days >= 0),
    call_days       integer not null default 0 check (call_days >= 0),
    changed_at      timestamptz not null default now(),
    changed_by      text not null
);
comment on column recording_settings.format is 'Null: the setting of the whole installation.';
comment on column recording_settings.recording_days is '0: for ever. Likewise call_days.';

alter table recordings
    drop constraint recordings_state_check,
    add constraint recordings_state_check
        check (state in ('pending', 'available', 'missing', 'deleting', 'deleted')),
    add column format text check (format in ('wav', 'opus')),
    add column wav_path text,
    add column wav_bytes bigint,
    add column data_key bigint references recording_keys,
    add column failures integer not null default 0,
    add column retry_at timestamptz,
    add column downloaded_at timestamptz,
    add column downloaded_by text,
    add column deleted_at timestamptz;
comment on column recordings.bytes is 'Of the audio, before encryption. wav_*: of a WAV kept beside Opus.';
update recordings set format = 'wav' where path is not null;
create index recordings_of_account on recordings (account_id, started_at desc, id desc);
create index recordings_kept on recordings (account_id, started_at) where state = 'available';
create index recordings_downloaded on recordings (call, downloaded_at) include (downloaded_by)
    where downloaded_at is not null;
create index recordings_deleting on recordings (id) where state = 'deleting';

-- docs/recordings.md says what each means. Seconds are null where that side said nothing.
create table recording_figures (
    recording                  bigint primary key references recordings on delete cascade,
    seconds                    double precision not null,
    caller_talk_share          double precision not null,
    called_talk_share          double precision not null,
    both_share                 double precision not null,
    silence_share              double precision not null,
    caller_interruptions       integer not null,
    called_interruptions       integer not null,
    longest_monologue_seconds  double precision not null,
    longest_monologue_side     text check (longest_monologue_side in ('caller', 'called')),
    caller_first_word_seconds  double precision,
    called_first_word_seconds  double precision
);

-- Who listened to what. No references: this outlives what it tells of.
create table recording_accesses (
    id          bigint generated always as identity primary key,
    account_id  bigint not null,
    recording   bigint not null,
    call        bigint not null,
    file        text not null,
    kind        text not null check (kind in ('listened', 'downloaded')),
    user_id     bigint,
    actor       text not null,
    address     text not null,
    format      text not null,
    first_byte  bigint not null,
    last_byte   bigint not null,
    at          timestamptz not null default clock_timestamp()
);
create index recording_accesses_of_account on recording_accesses (account_id, id desc);
create index recording_accesses_of_recording on recording_accesses (recording, id desc);

create table recording_favourites (
    user_id    bigint not null references users on delete cascade,
    recording  bigint not null references recordings on delete cascade,
    added_at   timestamptz not null default now(),
    primary key (user_id, recording)
);
create index recording_favourites_of_recording on recording_favourites (recording);

-- A pause is of a conversation under way, whose record comes later: they meet by the linkedid.
create table recording_pauses (
    id          bigint generated always as identity primary key,
    account_id  bigint not null references accounts,
    linkedid    text not null,
    paused_at   timestamptz not null,
    paused_by   text not null,
    resumed_at  timestamptz,
    resumed_by  text
);
create index recording_pauses_of_call on recording_pauses (linkedid);

-- What must not be deleted, and why. `recording` null: the call with all its recordings.
create table legal_holds (
    id           bigint generated always as identity primary key,
    account_id   bigint not null references accounts,
    call         bigint not null references calls on delete cascade,
    recording    bigint references recordings on delete cascade,
    reason       text not null,
    held_by      text not null,
    held_at      timestamptz not null default now(),
    released_by  text,
    released_at  timestamptz
);
create index legal_holds_in_force on legal_holds (call) where released_at is null;
create index legal_holds_of_call on legal_holds (call);
create index legal_holds_of_recording on legal_holds (recording);
create index legal_holds_of_account on legal_holds (account_id, id desc);

-- Sums of calls that were deleted because their time was over: reports keep counting them.
create table rollup_quarters_kept (like rollup_quarters including all);
create table rollup_days_kept (like rollup_days including all);
create table rollup_extension_days_kept (like rollup_extension_days including all);
create table rollup_target_days_kept (like rollup_target_days including all);
alter table rollup_quarters_kept add foreign key (account_id) references accounts on delete cascade;
alter table rollup_days_kept add foreign key (account_id) references accounts on delete cascade;
alter table rollup_extension_days_kept
    add foreign key (account_id) references accounts on delete cascade;
alter table rollup_target_days_kept
    add foreign key (account_id) references accounts on delete cascade;
comment on table rollup_days_kept is 'Days in the zone that the account had when they were deleted.';

-- The same of numbers outside: first and last contact outlive the calls. What is owed does not.
create table contacts_kept (
    account_id  bigint not null references accounts on delete cascade,
    number_id   bigint not null references numbers,
    calls       bigint not null,
    answered    bigint not null,
    missed      bigint not null,
    talk_us     bigint not null,
    first_at    timestamptz not null,
    last_at     timestamptz not null,
    talked_at   timestamptz,
    missed_at   timestamptz,
    primary key (account_id, number_id)
);

create or replace view contact_sums as
select account_id, number_id,
       sum(calls)::bigint as calls, sum(answered)::bigint as answered, sum(missed)::bigint as missed,
       sum(talk_us)::bigint as talk_us, min(first_at) as first_at, max(last_at) as last_at,
       max(talked_at) as talked_at, max(missed_at) as missed_at, min(owed_since) as owed_since,
       sum(owed_calls)::bigint as owed_calls
from (
    select f.account_id, f.number_id, sum(f.calls) as calls, sum(f.answered) as answered,
           sum(f.missed) as missed, sum(f.talk_us) as talk_us, min(f.started_at) as first_at,
           max(f.started_at) as last_at, max(f.talked_at) as talked_at,
           max(f.started_at) filter (where f.missed = 1) as missed_at,
           min(f.started_at) filter (where f.missed = 1 and f.started_at
               > coalesce(greatest(f.talked_at, o.talked_at, k.settled_at), '-infinity'))
               as owed_since,
           count(*) filter (where f.missed = 1 and f.started_at
               > coalesce(greatest(f.talked_at, o.talked_at, k.settled_at), '-infinity'))
               as owed_calls
    from (
        select account_id, customer_number_id as number_id, calls, answered, missed, talk_us,
               started_at, max(started_at) filter (where answered = 1)
                   over (partition by account_id, customer_number_id) as talked_at
        from call_facts where customer_number_id is not null
    ) f
    left join contacts k on k.account_id = f.account_id and k.number_id = f.number_id
    left join contacts_kept o on o.account_id = f.account_id and o.number_id = f.number_id
    group by f.account_id, f.number_id
    union all
    select account_id, number_id, calls, answered, missed, talk_us, first_at, last_at, talked_at,
           missed_at, null, 0
    from contacts_kept
) s
group by account_id, number_id;

create or replace function rebuild_rollups(of_account bigint default null) returns void
    language plpgsql as $$
begin
    -- Whoever writes calls waits meanwhile, so that no call is counted twice or not at all.
    lock table calls in share row exclusive mode;
    delete from rollup_quarters where of_account is null or account_id = of_account;
    insert into rollup_quarters
    select account_id, quarter, direction, sum(calls), sum(answered), sum(cancelled),
           sum(no_answer), sum(busy), sum(rejected), sum(failed), sum(unknown), sum(missed),
           sum(talk_us), sum(wait_us), sum(answered_wait_us)
    from (
        select account_id, quarter, direction, calls, answered, cancelled, no_answer, busy,
               rejected, failed, unknown, missed, talk_us, wait_us, answered_wait_us
        from call_facts union all select * from rollup_quarters_kept
    ) f where of_account is null or account_id = of_account
    group by account_id, quarter, direction order by account_id, quarter, direction;
    delete from rollup_days where of_account is null or account_id = of_account;
    insert into rollup_days
    select account_id, day, direction, sum(calls), sum(answered), sum(cancelled),
           sum(no_answer), sum(busy), sum(rejected), sum(failed), sum(unknown), sum(missed),
           sum(talk_us), sum(wait_us), sum(answered_wait_us)
    from (
        select account_id, day, direction, calls, answered, cancelled, no_answer, busy,
               rejected, failed, unknown, missed, talk_us, wait_us, answered_wait_us
        from call_facts union all select * from rollup_days_kept
    ) f where of_account is null or account_id = of_account
    group by account_id, day, direction order by account_id, day, direction;
    delete from rollup_extension_days where of_account is null or account_id = of_account;
    insert into rollup_extension_days
    select account_id, day, extension, direction, sum(calls), sum(placed), sum(placed_answered),
           sum(answered), sum(attempts), sum(attempts_answered), sum(attempts_missed),
           sum(attempts_refused), sum(attempts_elsewhere), sum(attempts_unreachable),
           sum(placed_talk_us), sum(answered_talk_us), sum(ring_us)
    from (
        select account_id, day, extension, direction, calls, placed, placed_answered, answered,
               attempts, attempts_answered, attempts_missed, attempts_refused, attempts_elsewhere,
               attempts_unreachable, placed_talk_us, answered_talk_us, ring_us
        from extension_facts union all select * from rollup_extension_days_kept
    ) f where of_account is null or account_id = of_account
    group by account_id, day, extension, direction
    order by account_id, day, extension, direction;
    perform rebuild_targets(of_account);
    perform rebuild_contacts(of_account);
end $$;

create or replace function rebuild_targets(of_account bigint default null) returns void
    language plpgsql as $$
begin
    lock table calls in share row exclusive mode;
    delete from rollup_target_days where of_account is null or account_id = of_account;
    insert into rollup_target_days
    select account_id, day, kind, target, direction, sum(calls), sum(answered), sum(missed),
           sum(talk_us), sum(wait_us)
    from (
        select account_id, day, kind, target, direction, calls, answered, missed, talk_us, wait_us
        from target_facts union all select * from rollup_target_days_kept
    ) f where of_account is null or account_id = of_account
    group by account_id, day, kind, target, direction
    order by account_id, day, kind, target, direction;
end $$;
