-- What callctl found wrong with itself, Asterisk and the disks. An alarm that is raised has no
-- `cleared_at`; raised again later it is a new row.

create table alarms (
    id            bigint generated always as identity primary key,
    systemname    text not null,
    code          text not null,
    subject       text not null,
    detail        text not null,
    raised_at     timestamptz not null,
    last_seen_at  timestamptz not null,
    cleared_at    timestamptz
);
create unique index alarms_raised on alarms (systemname, code, subject) where cleared_at is null;
create index alarms_cleared on alarms (cleared_at) where cleared_at is not null;

create index recordings_missing on recordings (started_at) where state = 'missing';
