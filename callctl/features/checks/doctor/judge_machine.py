"""The machine, the daemon and the database."""

from datetime import UTC, datetime

from callctl.features.checks.doctor.model import (
    Facts,
    Missing,
    Skip,
    Verdict,
    error,
    have,
    ok,
    warning,
)

APART_SECONDS = 2.0
FAR_APART_SECONDS = 60.0
CERTIFICATE_DAYS = 30
OLDEST_POSTGRES = 16
CONNECTIONS = 20
"""The daemon's (`callctl.db.pool`), commands beside it, and what PostgreSQL keeps for itself."""
GROUP_MAY_READ = 0o640
OWNER_MAY_READ = 0o600


def judge_daemon(facts: Facts) -> Verdict:
    daemon = facts.daemon
    if not daemon.running:
        taken = f"; and a port is not free: {'; '.join(daemon.taken)}" if daemon.taken else ""
        return error(f"it does not run: calls go by the fallback dialplan{taken}")
    if isinstance(daemon.http, Missing):
        return error(f"it runs, but does not answer over HTTP: {daemon.http.why}")
    wrong = [f"{name}: {message}" for name, (ready, message) in daemon.checks.items() if not ready]
    # Alarms have a check of their own.
    wrong = [words for words in wrong if not words.startswith("alarms:")]
    if wrong:
        return warning("; ".join(wrong), "What it names is in this list, too.")
    return ok(f"ready at {daemon.http}")


def judge_agi(facts: Facts) -> Verdict:
    place = f"{facts.settings.agi_host}:{facts.settings.agi_port}"
    if isinstance(facts.daemon.agi, Missing):
        if not facts.daemon.running:
            raise Skip("the daemon does not run")
        return error(f"no answer at {place}: {facts.daemon.agi.why}")
    return ok(facts.daemon.agi)


def judge_ports(facts: Facts) -> Verdict:
    if facts.daemon.taken:
        return error("; ".join(facts.daemon.taken))
    return ok("callctl's own" if facts.daemon.running else "free")


def judge_clocks(facts: Facts) -> Verdict:
    apart = []
    if not isinstance(facts.manager, Missing):
        apart.append(("Asterisk", facts.manager.ahead))
    if not isinstance(facts.database, Missing):
        apart.append(("PostgreSQL", facts.database.ahead))
    if not apart:
        raise Skip("neither Asterisk nor PostgreSQL can be asked")
    words = ", ".join(f"{who} {by:+.3f} s" for who, by in apart)
    worst = max(abs(by) for _, by in apart)
    if worst > FAR_APART_SECONDS:
        return error(words)
    return warning(words) if worst > APART_SECONDS else ok(words)


def judge_clock_sync(facts: Facts) -> Verdict:
    match facts.machine.clock_synchronised:
        case None:
            raise Skip("the kernel does not say")
        case False:
            return warning("nobody keeps this machine's time")
        case True:
            return ok("the kernel's clock is kept")


def judge_hosts(facts: Facts) -> Verdict:
    name = facts.machine.hostname
    lines = (line.partition("#")[0].split() for line in facts.machine.hosts.splitlines())
    if not any(name in words[1:] for words in lines):
        return error(
            f"{name} is not in /etc/hosts (as Asterisk sees it)",
            f"echo '127.0.1.1 {name}' >> /etc/hosts",
        )
    return ok(name)


def judge_secrets(facts: Facts) -> Verdict:
    """Nobody else may read them; Asterisk's group may, but for callctl's own."""
    open_ = []
    for path, mode in facts.machine.modes.items():
        allowed = OWNER_MAY_READ if path.name == "ami.secret" else GROUP_MAY_READ
        if mode & ~allowed & 0o077:
            open_.append(f"{path} ({mode:04o})")
    if open_:
        files = " ".join(words.partition(" (")[0] for words in open_)
        return error(f"open to others: {', '.join(open_)}", f"chmod o-rwx,g-w {files}")
    return ok(f"{len(facts.machine.modes)} files")


def judge_certificate(facts: Facts) -> Verdict:
    ends = have(facts.machine.certificate_ends)
    day = datetime.fromtimestamp(ends, UTC).strftime("%Y-%m-%d")
    days = (ends - facts.machine.now) / 86_400
    if days < 0:
        return error(f"it ended on {day}: phones that check it cannot register over TLS")
    if days < CERTIFICATE_DAYS:
        return warning(f"it ends on {day}, in {days:.0f} days")
    return ok(f"until {day}")


def judge_database(facts: Facts) -> Verdict:
    if isinstance(facts.database, Missing):
        return error(facts.database.why)
    version = facts.database.version
    if version < OLDEST_POSTGRES:
        return error(f"PostgreSQL {version}; {OLDEST_POSTGRES} or newer is needed")
    return ok(f"PostgreSQL {version}")


def judge_schema(facts: Facts) -> Verdict:
    database = have(facts.database)
    if database.schema_problem:
        return error(database.schema_problem, "Install the callctl that this database is of.")
    if database.pending:
        return warning(f"still to do: {', '.join(database.pending)}")
    return ok("up to date")


def judge_encoding(facts: Facts) -> Verdict:
    encoding = have(facts.database).encoding
    return ok(encoding) if encoding == "UTF8" else error(encoding)


def judge_durability(facts: Facts) -> Verdict:
    settings = have(facts.database).settings
    off = [
        name
        for name in ("fsync", "full_page_writes", "synchronous_commit")
        if settings.get(name) == "off"
    ]
    if "fsync" in off or "full_page_writes" in off:
        return error(f"off: {', '.join(off)}")
    if off:
        return warning("off: synchronous_commit; a power cut can undo the last calls' records")
    return ok("fsync, full_page_writes, synchronous_commit")


def judge_connections(facts: Facts) -> Verdict:
    most = int(have(facts.database).settings.get("max_connections", "0"))
    return ok(f"{most}") if most >= CONNECTIONS else warning(f"{most}")


def judge_session(facts: Facts) -> Verdict:
    """What callctl sets for each connection must arrive: a pooler in between may drop it."""
    settings = have(facts.database).settings
    wanted = {"TimeZone": "UTC", "plan_cache_mode": "force_custom_plan", "random_page_cost": "1.1"}
    wrong = [f"{n} is {settings.get(n)}" for n, value in wanted.items() if settings.get(n) != value]
    return warning(", ".join(wrong)) if wrong else ok(", ".join(wanted))


def judge_revision(facts: Facts) -> Verdict:
    """The files that Asterisk falls back on are of the routing that is in force."""
    revision = have(facts.database).revision
    file = facts.settings.asterisk_generated_dir / "extensions.conf"
    written = facts.machine.generated_revision
    if written is None:
        return error(f"{file} is not there, or not callctl's")
    if written != revision:
        return error(f"{file} is of revision {written}, the routing is at {revision}")
    return ok(f"revision {revision}")


def judge_emergency(facts: Facts) -> Verdict:
    lacking = have(facts.database).without_emergency
    if lacking:
        return error(f"none for: {', '.join(lacking)}")
    return ok("every account with extensions has some")


def judge_recording_key(facts: Facts) -> Verdict:
    masters = have(facts.database).recording_masters
    if not masters:
        return ok("no recording is encrypted")
    key = facts.machine.master_key
    if isinstance(key, Missing):
        return error(f"there is no master key: {key.why}; wanted: {', '.join(masters)}")
    others = [name for name in masters if name != key]
    if others:
        return error(f"the master key that is there is {key}; wanted: {', '.join(others)}")
    return ok(f"master key {key}")


def judge_libraries(facts: Facts) -> Verdict:
    broken = facts.machine.broken_libraries
    return error("; ".join(broken)) if broken else ok("all of them can be loaded")
