"""Every check of ``callctl doctor``, declared once: docs/doctor.md is made of it."""

from callctl.db.pool import MOST_CONNECTIONS
from callctl.features.checks.doctor import judge_asterisk as asterisk
from callctl.features.checks.doctor import judge_journal as journal
from callctl.features.checks.doctor import judge_machine as machine
from callctl.features.checks.doctor.model import Check

CHECKS = (
    Check(
        "daemon",
        "The daemon runs and says that it is ready.",
        "Without it calls go by the fallback dialplan: no strategies with memory, no new routing.",
        "systemctl start callctl; `journalctl -u callctl` says why it ended.",
        machine.judge_daemon,
    ),
    Check(
        "ports",
        "The ports that the daemon needs are its own, or free.",
        "It does not start when another program has one of them.",
        "`ss -ltnp` names who has it; end that, or set another port and write Asterisk's "
        "configuration again (`callctl asterisk-conf`).",
        machine.judge_ports,
    ),
    Check(
        "agi",
        "The daemon answers Asterisk's question (FastAGI, `ping`).",
        "Asterisk waits two seconds for it in every call before it takes the fallback.",
        "systemctl restart callctl; if it says so again, report it with the log.",
        machine.judge_agi,
    ),
    Check(
        "agi_address",
        "Asterisk asks where the daemon answers.",
        "Otherwise every call goes by the fallback dialplan.",
        "Run `callctl asterisk-conf` again, or set `agi_host` and `agi_port` to what Asterisk "
        "asks; then `dialplan reload` on Asterisk's console.",
        asterisk.judge_agi_address,
    ),
    Check(
        "ami_login",
        "The manager interface lets callctl in.",
        "Without it routing changes do not reach the phones, nobody sees whether the journal loses "
        "calls, and calls cannot be placed over the API.",
        "Start Asterisk (`systemctl start asterisk`); compare `ami_host` and `ami_port` with "
        "bindaddr and port in manager.conf.",
        asterisk.judge_login,
    ),
    Check(
        "ami_rights",
        "callctl may do there what it must, and no more.",
        "Lacking rights stop reloads and click-to-call; surplus ones make the secret a key to the "
        "machine.",
        "In manager.conf `write = system,call,originate,reporting`, then `manager reload`.",
        asterisk.judge_rights,
    ),
    Check(
        "ami_events",
        "callctl hears there of calls and of restarts.",
        "It is how a journal that loses calls is found out.",
        "In manager.conf `read = system,call`, and eventfilter lines for FullyBooted, Newchannel "
        "and Hangup, or none; then `manager reload`.",
        asterisk.judge_ami_events,
    ),
    Check(
        "ami_address",
        "The manager interface listens on loopback only.",
        "It has no lock-out: whoever reaches it may guess for ever, or block it for all.",
        "In manager.conf `bindaddr = 127.0.0.1`, then `manager reload`.",
        asterisk.judge_ami_address,
    ),
    Check(
        "asterisk_version",
        "Asterisk is one of 20 to 23.",
        "The dialplan and the journal rely on how these behave.",
        "Install one of them.",
        asterisk.judge_version,
    ),
    Check(
        "systemname",
        "Asterisk and callctl have the same `systemname`.",
        "It stands in front of every unique id and tells nodes on one database apart.",
        "Set the same in asterisk.conf ([options]) and in callctl's settings, restart Asterisk.",
        asterisk.judge_systemname,
    ),
    Check(
        "modules",
        "Asterisk has loaded every module that the dialplan and the journal need.",
        "A missing one shows only in the call that needs it.",
        "Put `load = NAME` for each into modules.conf (or install it), restart Asterisk.",
        asterisk.judge_modules,
    ),
    Check(
        "other_sinks",
        "Nothing else in Asterisk records calls.",
        "Each further sink costs time in every call, and one that blocks stops the journal, too.",
        "`enable = no` in cdr.conf, `noload` for the named modules in modules.conf, restart "
        "Asterisk; unless something else of yours reads them.",
        asterisk.judge_other_sinks,
    ),
    Check(
        "codecs",
        "Every codec that phones and trunks may use can be turned into every other.",
        "A call between two parties without a common codec ends when it is answered.",
        "Load the codec modules (modules.conf), or take the codec out of `allow` in pjsip.conf.",
        asterisk.judge_codecs,
    ),
    Check(
        "rtp_ports",
        "The ports for media are enough, and no others take them.",
        "Without a free pair a call has no sound.",
        "In rtp.conf rtpstart = 10000, rtpend = 20000; open them in the firewall.",
        asterisk.judge_rtp,
    ),
    Check(
        "open_files",
        "Asterisk may open enough files.",
        "A call needs about six; beyond the limit calls fail.",
        "`maxfiles = 16384` in asterisk.conf, or LimitNOFILE in its systemd unit; restart it.",
        asterisk.judge_open_files,
    ),
    Check(
        "overload",
        "A full queue in Asterisk makes only SIP's own queue count as overload.",
        "With the default a stalled journal or manager client makes Asterisk ignore all new calls.",
        "In pjsip.conf, [global]: taskprocessor_overload_trigger = pjsip_only; restart Asterisk.",
        asterisk.judge_overload,
    ),
    Check(
        "dialplan",
        "Asterisk includes what callctl generates, and the fallback is loaded.",
        "It routes calls while callctl is away.",
        "Run `callctl asterisk-conf` again: its extensions.conf and pjsip.conf end with the "
        "includes.",
        asterisk.judge_dialplan,
    ),
    Check(
        "revision",
        "The generated files are of the routing that is in force.",
        "The fallback would route by yesterday's rules.",
        "Start the daemon: it writes them. If it runs, the log says why it could not "
        "(`provisioning_failed`): usually the directory is not writable.",
        machine.judge_revision,
    ),
    Check(
        "emergency",
        "Every account with extensions has emergency numbers.",
        "They skip every limit and permission, and they work with callctl away.",
        "Add `emergency:` to the routing (docs/routing.md) and apply it.",
        machine.judge_emergency,
    ),
    Check(
        "journal_events",
        "Asterisk is told to write the channel events that records are made of.",
        "A kind that is missing makes records wrong, or leaves them out.",
        "Take cel.conf from `callctl asterisk-conf`, then `module reload cel`.",
        asterisk.judge_events,
    ),
    Check(
        "journal_mapping",
        "They are written in the journal's columns, on the path that cuts no row.",
        "A cut row swallows the rows after it, also of other calls.",
        "Take cel_custom.conf from `callctl asterisk-conf`, then `module reload cel_custom.so`.",
        asterisk.judge_mapping,
    ),
    Check(
        "journal_path",
        "Asterisk writes the journal where callctl reads it.",
        "Otherwise there are no records at all.",
        "Set `journal_path` to Asterisk's astlogdir (asterisk.conf) + cel-custom/journal.csv.",
        journal.judge_path,
    ),
    Check(
        "journal_disk",
        "The journal is on a local disk that outlives a restart.",
        "A network mount that hangs stops Asterisk's events, and then SIP.",
        "Move Asterisk's log directory to a local disk (astlogdir), and `journal_path` with it.",
        journal.judge_file_system,
    ),
    Check(
        "journal_writable",
        "Asterisk's user may write the journal.",
        "Asterisk says nothing when it cannot.",
        "chown asterisk: the directory and the file; `callctl asterisk-conf --user asterisk` does.",
        journal.judge_writable,
    ),
    Check(
        "journal_growing",
        "The journal has rows of the calls since Asterisk's start.",
        "It is the only record of a call.",
        "See `disk_space`, `journal_writable`, `journal_events`; then `module reload cel`.",
        journal.judge_growing,
    ),
    Check(
        "journal_reader",
        "The daemon reads the journal, and all of it are rows.",
        "Calls are safe in the file, but nobody sees them.",
        "The message names what it waits for.",
        journal.judge_reader,
    ),
    Check(
        "recordings_spool",
        "Asterisk records where callctl looks.",
        "Recordings would pile up where nobody finds them, or not be made at all.",
        "Set `recordings_spool`, run `callctl asterisk-conf --user asterisk` again.",
        journal.judge_spool,
    ),
    Check(
        "disk_space",
        "There is room where calls are written.",
        "When the journal's disk is full, records are lost without a word.",
        "Make room there, or set disk_warning_mb and disk_critical_mb to what this disk should "
        "have.",
        journal.judge_space,
    ),
    Check(
        "alarms",
        "No alarm is raised.",
        "What the daemon itself has found (docs/alarms.md).",
        "docs/alarms.md has what to do for each; GET /api/v1/system/alarms the details.",
        journal.judge_alarms,
    ),
    Check(
        "clocks",
        "callctl, Asterisk and PostgreSQL agree on the time.",
        "Schedules, sessions and the order of calls go by it.",
        "Let one time service keep all of them (`timedatectl set-ntp true`).",
        machine.judge_clocks,
    ),
    Check(
        "clock_sync",
        "Somebody keeps this machine's clock.",
        "A clock that drifts, and is then set, moves calls in the history.",
        "timedatectl set-ntp true, or install chrony. In a container the host must do it.",
        machine.judge_clock_sync,
    ),
    Check(
        "hosts",
        "The machine's own name is in /etc/hosts.",
        "Asterisk looks it up in every call; where DNS does not answer, SIP stands still for 5 s.",
        "Add the name to /etc/hosts.",
        machine.judge_hosts,
    ),
    Check(
        "secrets",
        "Files with secrets are closed to others.",
        "Whoever reads them can call at your cost.",
        "chmod them.",
        machine.judge_secrets,
    ),
    Check(
        "tls_certificate",
        "The certificate of SIP over TLS is valid for a while yet.",
        "Phones that check it are gone on the day it ends.",
        "Put the new certificate and key where pjsip.conf names them; restart Asterisk. One made "
        "by callctl: delete both files, run `callctl asterisk-conf` again.",
        machine.judge_certificate,
    ),
    Check(
        "database",
        "PostgreSQL answers, and is new enough.",
        "Records wait in the journal until it does; the API and the console do not work.",
        "systemctl start postgresql; check `database_url`. The embedded one runs while the daemon "
        "does.",
        machine.judge_database,
    ),
    Check(
        "database_schema",
        "The database has this version's tables.",
        "The daemon brings them up to date when it starts; it does not start with newer ones.",
        "callctl migrate (or start the daemon).",
        machine.judge_schema,
    ),
    Check(
        "database_encoding",
        "It holds text as UTF-8.",
        "Names of callers would be refused or broken.",
        "createdb --encoding=UTF8 --template=template0 callctl, and move the data there.",
        machine.judge_encoding,
    ),
    Check(
        "database_durability",
        "What it has confirmed survives a power cut.",
        "The journal's position would be past calls that are gone.",
        "`alter system reset NAME` for each, then `select pg_reload_conf()`.",
        machine.judge_durability,
    ),
    Check(
        "database_connections",
        "It takes enough connections.",
        f"The daemon uses up to {MOST_CONNECTIONS}, commands a few more.",
        "max_connections = 60 in postgresql.conf, restart PostgreSQL.",
        machine.judge_connections,
    ),
    Check(
        "database_session",
        "What callctl sets for its connections is in force.",
        "With generic plans a list that takes a millisecond takes seconds on a large history.",
        "A pooler in between drops it: connect directly, or let it track these parameters.",
        machine.judge_session,
    ),
    Check(
        "recording_key",
        "The master key is there that encrypted recordings were made under.",
        "Without it they cannot be listened to, and new ones stay unencrypted in the spool.",
        "Put the right key where `recordings_key_file` (or `recordings_key`) says, from the copy "
        "that was kept elsewhere; after a `rotate-key` that was interrupted, run it again.",
        machine.judge_recording_key,
    ),
    Check(
        "libraries",
        "The libraries that are loaded when they are first needed can be.",
        "Recordings wait in the spool, and workbooks and QR codes fail, at the first of each.",
        "Install callctl anew, in an environment of its own, then restart it.",
        machine.judge_libraries,
    ),
)
