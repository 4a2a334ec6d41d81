-- People: groups, finer rights, invitations, second factors; tokens have an owner; the audit log.

create table groups (
    id           bigint generated always as identity primary key,
    account_id   bigint not null references accounts,
    name         text not null,
    description  text not null default '',
    created_at   timestamptz not null default now(),
    unique (account_id, id)
);
create unique index groups_by_name on groups (account_id, lower(name));

alter table users
    add column email            text,
    add column employee_number  text,
    add column extension        text,
    add column group_id         bigint,
    add column granted          text[] not null default '{}',
    add column withdrawn        text[] not null default '{}',
    add column totp_secret      text,
    add column totp_since       timestamptz,
    add column totp_step        bigint not null default 0,
    add column changed_at       timestamptz not null default now(),
    add foreign key (account_id, group_id) references groups (account_id, id);
comment on column users.granted is 'Scopes beyond those of the role; withdrawn: less than those.';
comment on column users.totp_since is
    'Null: no second factor, though totp_secret may wait for its first code.';
comment on column users.totp_step is 'The time step (RFC 6238) of the last code that was used.';
create index users_of_account on users (account_id, login);
create index users_of_group on users (account_id, group_id) where group_id is not null;
create unique index users_by_employee_number on users (account_id, employee_number)
    where employee_number is not null;
-- An extension's calls are one person's; who has left leaves it to the next.
create unique index users_by_extension on users (account_id, extension)
    where extension is not null and active;

create table recovery_codes (
    user_id    bigint not null references users,
    code_hash  bytea not null,
    primary key (user_id, code_hash)
);

alter table sessions
    add column id          bigint generated always as identity unique,
    add column address     text not null default '',
    add column user_agent  text not null default '';
create index sessions_of_user on sessions (user_id);

alter table tokens add column created_by bigint references users;
comment on column tokens.created_by is
    'Who answers for it: it can do no more than this user, and ends with them. Null: the machine''s.';
create index tokens_of_user on tokens (created_by) where created_by is not null;

create table invitations (
    id               bigint generated always as identity primary key,
    account_id       bigint not null references accounts,
    secret_hash      bytea not null unique,
    name             text not null default '',
    email            text,
    role             text not null,
    group_id         bigint,
    employee_number  text,
    extension        text,
    invited_by       bigint references users,
    author           text not null,
    created_at       timestamptz not null default now(),
    expires_at       timestamptz not null,
    accepted_at      timestamptz,
    revoked_at       timestamptz,
    user_id          bigint references users,
    foreign key (account_id, group_id) references groups (account_id, id)
);
create index invitations_of_account on invitations (account_id, id desc);
create index invitations_of_user on invitations (invited_by) where invited_by is not null;
create index invitations_of_group on invitations (account_id, group_id) where group_id is not null;

create index accounts_below on accounts (parent_id) where parent_id is not null;

create table audit (
    id          bigint generated always as identity primary key,
    account_id  bigint not null references accounts,
    at          timestamptz not null default clock_timestamp(),
    author_id   bigint references users,
    author      text not null,
    action      text not null,
    subject     text not null,
    before      jsonb,
    after       jsonb
);
comment on table audit is 'Who changed what: written in the transaction of the change, never again.';
create index audit_by_time on audit (account_id, at desc, id desc);
create index audit_by_author on audit (account_id, author, at desc, id desc);
create index audit_by_subject on audit (account_id, subject, at desc, id desc);

-- What a person's rights are made of. Of a group leader also whose calls the group's are: whoever
-- has left an extension to somebody else has left it with its calls.
create view user_rights as
select u.id as user_id, u.role, u.granted, u.withdrawn, u.extension, a.kind as account_kind,
       case when u.role = 'group_leader' then array(
           select m.extension from users m
           where m.account_id = u.account_id and m.group_id = u.group_id
             and m.extension is not null
             and (m.active or not exists (
                   select from users o where o.account_id = m.account_id
                      and o.extension = m.extension and o.active))
       ) else '{}' end as group_extensions
from users u join accounts a on a.id = u.account_id;

create view people as
select u.account_id, u.id, u.login, u.name, u.email, u.employee_number, u.extension, u.role,
       u.group_id, g.name as "group", u.active, u.granted, u.withdrawn,
       u.totp_since is not null as second_factor, u.created_at, u.changed_at,
       a.kind as account_kind
from users u join accounts a on a.id = u.account_id left join groups g on g.id = u.group_id;
