"""Every check of ``callctl doctor`` sees what it is for: the facts of a real stack, one changed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from callctl.app import read_ami_secret
from callctl.core.checks.disks import MEGABYTE, Space
from callctl.demo.stack import Stack
from callctl.features.checks.doctor.catalogue import CHECKS
from callctl.features.checks.doctor.conf_files import Configuration, Entry
from callctl.features.checks.doctor.examine import examine, gather_facts
from callctl.features.checks.doctor.model import (
    AsteriskConsole,
    AsteriskProcess,
    Check,
    DatabaseState,
    Facts,
    Manager,
    Missing,
    State,
    make_check,
    ok,
)

pytestmark = pytest.mark.asterisk

CODES = {check.code: check for check in CHECKS}


@pytest.fixture(scope="session")
async def well(stack: Stack) -> Facts:
    """The facts of a running stack, from which each case takes away one thing."""
    settings = stack.settings
    facts = await gather_facts(settings, read_ami_secret(settings), Path("/nowhere.toml"))
    ours = facts.machine.hosts + f"\n127.0.1.1 {facts.machine.hostname}\n"
    places = dict(facts.machine.places)
    places["journal_path"] = replace(places["journal_path"], file_system="ext4")
    machine = replace(
        facts.machine,
        clock_synchronised=True,
        hosts=ours,
        places=places,
        ephemeral_ports=(32768, 60999),
    )
    assert isinstance(facts.database, DatabaseState)
    durable = dict.fromkeys(("fsync", "full_page_writes", "synchronous_commit"), "on")
    database = replace(facts.database, settings={**facts.database.settings, **durable})
    return replace(facts, machine=machine, database=database)


def test_a_well_stack_is_well(well: Facts) -> None:
    wrong = [f"{r.check.code}: {r.words}" for r in examine(well) if r.state is not State.OK]
    assert wrong == []


# One way in which each check fails: (its code, what is changed, how bad, words of it).

Change = Callable[[Facts], Facts]
CASES: list[tuple[str, Change, State, str]] = []


def case(code: str, change: Change, state: State, words: str) -> None:
    CASES.append((code, change, state, words))


def of_manager(**values: Any) -> Change:
    def change(facts: Facts) -> Facts:
        assert isinstance(facts.manager, Manager)
        return replace(facts, manager=replace(facts.manager, **values))

    return change


def of_machine(**values: Any) -> Change:
    return lambda facts: replace(facts, machine=replace(facts.machine, **values))


def of_daemon(**values: Any) -> Change:
    return lambda facts: replace(facts, daemon=replace(facts.daemon, **values))


def of_database(**values: Any) -> Change:
    def change(facts: Facts) -> Facts:
        assert isinstance(facts.database, DatabaseState)
        return replace(facts, database=replace(facts.database, **values))

    return change


def of_postgres_setting(name: str, value: str) -> Change:
    def change(facts: Facts) -> Facts:
        assert isinstance(facts.database, DatabaseState)
        return of_database(settings={**facts.database.settings, name: value})(facts)

    return change


def of_place(name: str, **values: Any) -> Change:
    def change(facts: Facts) -> Facts:
        places = dict(facts.machine.places)
        places[name] = replace(places[name], **values)
        return of_machine(places=places)(facts)

    return change


def of_journal(**values: Any) -> Change:
    return lambda facts: of_machine(journal=replace(facts.machine.journal, **values))(facts)


def of_file(name: str, old: str, new: str) -> Change:
    """As if a line of a configuration file said something else."""

    def change(facts: Facts) -> Facts:
        conf = facts.configuration
        assert isinstance(conf, Configuration)
        entries = tuple(
            Entry(e.section, e.key, f"{e.key} = {e.value}".replace(old, new).partition(" = ")[2])
            for e in conf.files[name]
        )
        assert entries != conf.files[name], f"{old} is not in {name}"
        return replace(facts, configuration=replace(conf, files={**conf.files, name: entries}))

    return change


def of_console(command: str, old: str, new: str) -> Change:
    def change(facts: Facts) -> Facts:
        assert isinstance(facts.console, AsteriskConsole)
        text = facts.console.output[command]
        assert old in text
        output = {**facts.console.output, command: text.replace(old, new)}
        return replace(facts, console=AsteriskConsole(output))

    return change


def of_manager_fields(what: str, **fields: str) -> Change:
    def change(facts: Facts) -> Facts:
        return of_manager(**{what: {**getattr(facts.manager, what), **fields}})(facts)

    return change


def without_actions(*names: str) -> Change:
    def change(facts: Facts) -> Facts:
        assert isinstance(facts.manager, Manager)
        return of_manager(commands=facts.manager.commands - set(names))(facts)

    return change


def with_action(name: str) -> Change:
    def change(facts: Facts) -> Facts:
        assert isinstance(facts.manager, Manager)
        return of_manager(commands=facts.manager.commands | {name})(facts)

    return change


def of_module(name: str, loaded: bool) -> Change:
    return lambda facts: of_manager(modules={**facts.manager.modules, name: loaded})(facts)  # type: ignore[union-attr]


def of_calls(count: int, since: str = "2026-01-01", written_at: float | None = 1.0) -> Change:
    """Asterisk has had so many calls; the journal's last row is of `written_at`."""

    def change(facts: Facts) -> Facts:
        fields = {"coreprocessedcalls": str(count), "corestartupdate": since}
        return of_manager_fields("status", **fields)(of_journal(written_at=written_at)(facts))

    return change


def of_process(**values: Any) -> Change:
    def change(facts: Facts) -> Facts:
        assert isinstance(facts.process, AsteriskProcess)
        return replace(facts, process=replace(facts.process, **values))

    return change


def of_settings(**values: Any) -> Change:
    return lambda facts: replace(facts, settings=replace(facts.settings, **values))


ERROR, WARNING = State.ERROR, State.WARNING
GONE = Missing("Connect call failed")
TAKEN = ("agi_port 127.0.0.1:4573: Address already in use",)

case("daemon", of_daemon(running=False), ERROR, "does not run")
case("daemon", of_daemon(http=Missing("refused")), ERROR, "does not answer over HTTP")
case("daemon", of_daemon(checks={"routing": (False, "not yet")}), WARNING, "routing: not yet")
case("ports", of_daemon(running=False, taken=TAKEN), ERROR, "already in use")
case("agi", of_daemon(agi=GONE), ERROR, "Connect call failed")
case("agi", of_daemon(agi=GONE, running=False), State.SKIPPED, "does not run")
case("agi_address", of_settings(agi_port=1), ERROR, ":1/route")
case("agi_address", of_process(same_network=False), WARNING, "network of its own")
case("ami_login", lambda f: replace(f, manager=GONE), ERROR, "no manager interface at")
case("ami_login", lambda f: replace(f, manager=Missing("login_refused: x")), ERROR, "refuses")
case("ami_rights", without_actions("originate"), ERROR, "originate")
case("ami_rights", with_action("command"), WARNING, "may also write command")
case("ami_events", of_console("manager show user {ami_user}", "system,call\n", "system\n"), ERROR,
     "call")  # fmt: skip
case("ami_events", of_file("manager.conf", "Newchannel", "Other"), ERROR, "Newchannel")
case("ami_events", of_file("manager.conf", "Newexten,", "Hangup,Newexten,"), ERROR, "Hangup")
case("ami_address", of_file("manager.conf", "bindaddr = 127", "bindaddr = 0"), WARNING, "0.0.12")
case("asterisk_version", of_manager_fields("settings", asteriskversion="18.4.0"), ERROR, "18.4")
case("systemname", of_manager_fields("settings", systemname="other"), ERROR, "'other'")
case("modules", of_module("app_mixmonitor.so", False), ERROR, "app_mixmonitor.so")
case("other_sinks", of_module("cel_manager.so", True), WARNING, "cel_manager.so")
case("other_sinks", of_manager_fields("settings", corecdrenabled="Yes"), WARNING, "CDR engine")
case("codecs", of_file("pjsip.conf", "g722", "opus"), WARNING, "no module for opus")
case("codecs", of_console("core show translation", "ulaw     - 15000", "ulaw     -     -"), WARNING,
     "ulaw to alaw")  # fmt: skip
case("rtp_ports", of_file("rtp.conf", "rtpend = 20000", "rtpend = 10100"), WARNING, "25 calls")
case("rtp_ports", of_machine(ephemeral_ports=(1024, 65000)), WARNING, "overlaps")
case("open_files", of_process(open_files=1024), WARNING, "1024")
case("overload", of_console("pjsip show settings", "pjsip_only", "global"), ERROR, "global")
case("dialplan", of_manager(fallback_loaded=False), ERROR, "no callctl-fallback")
case("dialplan", of_file("extensions.conf", "callctl.d", "other.d"), ERROR, "do not include")
case("revision", of_machine(generated_revision=0), ERROR, "revision 0, the routing is at 1")
case("revision", of_machine(generated_revision=None), ERROR, "not there")
case("emergency", of_database(without_emergency=("main",)), ERROR, "main")
case("journal_events", of_file("cel.conf", ",PICKUP", ""), ERROR, "lacks PICKUP")
case("journal_events", of_file("cel.conf", "dateformat =", "dateformat = %F"), ERROR, "dateformat")
case("journal_events", of_file("cel.conf", "enable = yes", "enable = no"), ERROR, "not enabled")
case("journal_events", of_console("cel show status", "Logging: Enabled", "Logging: Disabled"),
     ERROR, "writes no channel events")  # fmt: skip
case("journal_mapping", of_file("cel_custom.conf", "= ${EPOCH},", "= "), ERROR, "1023")
case("journal_mapping", of_file("cel_custom.conf", "${CALLERID(ANI)}", "${CALLERID(num)}"), ERROR,
     "from 'cid_ani' on")  # fmt: skip
case("journal_mapping", of_file("cel_custom.conf", ",${CSV_QUOTE(${eventextra})}", ""), ERROR,
     "16 of 17")  # fmt: skip
case("journal_mapping", of_file("cel_custom.conf", "${CSV_QUOTE(${CALLERID(name)})}",
     '"${CALLERID(name)}"'), ERROR, "breaks rows: cid_name")  # fmt: skip
case("journal_path", of_settings(journal_path=Path("/elsewhere/journal.csv")), ERROR, "/elsewhere")
case("journal_path", of_place("journal_path", exists=False), ERROR, "no directory")
case("journal_disk", of_place("journal_path", file_system="nfs4"), ERROR, "goes deaf")
case("journal_disk", of_place("journal_path", file_system="tmpfs"), WARNING, "restart")
case("journal_writable", of_journal(exists=True, writable=False), ERROR, "may not write")
case("journal_writable", of_place("journal_path", seen=False), ERROR, "another directory")
case("journal_growing", of_calls(5, since="2099-01-01"), ERROR, "5 calls since its start")
case("journal_growing", of_calls(5, written_at=None), ERROR, "there is no journal")
case("journal_growing", of_journal(row_ok=False), ERROR, "our columns")
case("journal_reader", of_daemon(checks={"journal": (False, "a lock")}), ERROR, "a lock")
case("journal_reader", of_database(quarantined=3), WARNING, "3 pieces")
case("recordings_spool", of_settings(recordings_spool=Path("/x")), ERROR, "callctl looks in /x")
case("recordings_spool", of_place("recordings_spool", writable=False), ERROR, "may not write")
case("disk_space", of_place("journal_path", space=Space(77, MEGABYTE // 2, None)), ERROR, "0 MB")
case("disk_space", of_place("state_dir", space=Space(78, 3 * MEGABYTE // 2, None)), WARNING, "MB")
case("alarms", of_daemon(checks={"alarms": (False, "disk_full")}), WARNING, "disk_full")
case("alarms", of_database(alarms=("ami_away",)), WARNING, "ami_away")
case("clocks", of_manager(ahead=3.5), WARNING, "+3.500 s")
case("clocks", of_database(ahead=-3600.0), ERROR, "-3600")
case("clock_sync", of_machine(clock_synchronised=False), WARNING, "nobody")
case("clock_sync", of_machine(clock_synchronised=None), State.SKIPPED, "does not say")
case("hosts", of_machine(hosts="127.0.0.1 localhost # own-name\n", hostname="own-name"), ERROR,
     "own-name is not in")  # fmt: skip
case("secrets", of_machine(modes={Path("/s/ami.secret"): 0o640}), ERROR, "ami.secret (0640)")
case("secrets", of_machine(modes={Path("/e/manager.conf"): 0o644}), ERROR, "(0644)")
case("tls_certificate", of_machine(certificate_ends=1.0), ERROR, "1970-01-01")
case("tls_certificate", lambda f: of_machine(certificate_ends=f.machine.now + 864_000)(f), WARNING,
     "in 10 days")  # fmt: skip
case("database", lambda f: replace(f, database=Missing("cannot be reached")), ERROR, "reached")
case("database", of_database(version=15), ERROR, "PostgreSQL 15")
case("database_schema", of_database(pending=("0005_alarms.sql",)), WARNING, "0005_alarms.sql")
case("database_schema", of_database(schema_problem="older than"), ERROR, "older than")
case("database_encoding", of_database(encoding="LATIN1"), ERROR, "LATIN1")
case("database_durability", of_postgres_setting("fsync", "off"), ERROR, "fsync")
case("database_durability", of_postgres_setting("synchronous_commit", "off"), WARNING, "power cut")
case("database_connections", of_postgres_setting("max_connections", "5"), WARNING, "5")
case("recording_key", of_database(recording_masters=("abc",)), ERROR, "there is no master key")
case(
    "recording_key",
    lambda f: of_machine(master_key="def")(of_database(recording_masters=("abc",))(f)),
    ERROR,
    "is def; wanted: abc",
)
case("libraries", of_machine(broken_libraries=("av: no such file",)), ERROR, "av: no such file")
case("database_session", of_postgres_setting("plan_cache_mode", "auto"), WARNING, "auto")


@pytest.mark.parametrize(
    ("code", "change", "state", "words"), CASES, ids=[f"{c[0]}: {c[3]}" for c in CASES]
)
def test_each_check_sees_what_it_is_for(
    well: Facts, code: str, change: Change, state: State, words: str
) -> None:
    result = make_check(CODES[code], change(well))
    assert result.state is state, result.words
    assert words in result.words
    assert bool(result.fix) == (state is not State.SKIPPED)


def test_every_check_has_a_case_in_which_it_fails() -> None:
    assert {c[0] for c in CASES if c[2] is not State.SKIPPED} == set(CODES)


def test_a_check_that_fails_by_itself_is_an_error_of_its_own(well: Facts) -> None:
    def broken(_facts: Facts) -> Any:
        raise ZeroDivisionError("oh")

    result = make_check(Check("x", "", "", "", broken), well)
    assert (result.state, "ZeroDivisionError: oh" in result.words) == (State.ERROR, True)
    assert make_check(Check("x", "", "", "", lambda _: ok("fine")), well).fix == ""


def test_without_asterisk_nothing_fails_by_itself(well: Facts) -> None:
    """Each part alone away, then all: only what sees it says so."""
    gone = Missing("away")
    for away in ("manager", "console", "process", "configuration", "database"):
        results = examine(replace(well, **{away: gone}))  # type: ignore[arg-type]
        assert not [r.words for r in results if "check itself failed" in r.words]
        assert [r for r in results if r.state is State.SKIPPED]
