-- How loud each side of a recording is over its time, for who looks for a place in it.
create table recording_outlines (
    recording  bigint primary key references recordings on delete cascade,
    caller     bytea not null,
    called     bytea not null
);
comment on table recording_outlines is
    'A byte (0 silence to 100 as loud as can be) for each equal part of the recording.';
