"""What Asterisk must be like: its rights, modules, channel events, dialplan, codecs."""

import re
from collections.abc import Iterable

from callctl.asterisk.journal import COLUMNS
from callctl.asterisk.program import SUPPORTED, needed_modules
from callctl.features.checks.doctor.conf_files import Configuration
from callctl.features.checks.doctor.look_asterisk import UNWANTED_MODULES
from callctl.features.checks.doctor.model import Facts, Missing, Verdict, error, have, ok, warning

NEEDED_EVENTS = (
    *("CHAN_START", "CHAN_END", "HANGUP", "ANSWER", "BRIDGE_ENTER", "BRIDGE_EXIT"),
    *("BLINDTRANSFER", "ATTENDEDTRANSFER", "PICKUP", "FORWARD", "PARK_START", "PARK_END"),
    *("LOCAL_OPTIMIZE", "USER_DEFINED", "LINKEDID_END", "APP_START"),
)
JOURNAL_NAME = "journal.csv"
NEEDED_ACTIONS = {
    "absolutetimeout": "call",
    "blindtransfer": "call",
    "coreshowchannels": "reporting",
    "devicestatelist": "reporting",
    "hangup": "call",
    "originate": "originate",
    "pjsipshowendpoints": "system",
    "pjsipshowregistrationsoutbound": "system",
    "reload": "system",
}
"""Actions that callctl does, and the right that gives each."""
TOO_MUCH = {"command": "command", "updateconfig": "config", "userevent": "user"}
NEEDED_READ = ("system", "call")
NEEDED_FILTERS = ("FullyBooted", "Newchannel", "Hangup")
_VALUE = r"\$\{(?:CALLERID\((\w+)\)|CHANNEL\((\w+)\)|(\w+))\}"
_QUOTED = re.compile(rf"\$\{{CSV_QUOTE\({_VALUE}\)\}}")
_PLAIN = re.compile(rf'"{_VALUE}"')
_NAMES = {
    **{"name": "cid_name", "num": "cid_num", "ANI": "cid_ani", "DNID": "cid_dnid"},
    **{"EXTEN": "exten", "CONTEXT": "context", "CHANNEL": "channame", "UNIQUEID": "uniqueid"},
    "BRIDGEPEER": "peer",
}
_OWN_WORDS = frozenset({"eventtype", "eventtime", "context", "appname", "uniqueid", "linkedid"})
"""Columns that hold nothing of a caller's, so no quote; all others go through CSV_QUOTE."""


def judge_login(facts: Facts) -> Verdict:
    settings = facts.settings
    place = f"{settings.ami_host}:{settings.ami_port}"
    if isinstance(facts.manager, Missing):
        reason = facts.manager.why
        if reason.startswith("login_refused"):
            return error(
                f"Asterisk at {place} refuses {settings.ami_user}: {reason}",
                "Make user and secret of manager.conf and of callctl the same (`ami.secret` "
                "beneath state_dir), then `manager reload` on Asterisk's console.",
            )
        return error(f"no manager interface at {place}: {reason}")
    return ok(f"logged in at {place} as {settings.ami_user}")


def judge_version(facts: Facts) -> Verdict:
    version = have(facts.manager).settings.get("asteriskversion", "?")
    major = version.partition(".")[0]
    if not (major.isdecimal() and int(major) in SUPPORTED):
        return error(f"Asterisk {version}")
    return ok(f"Asterisk {version}")


def judge_rights(facts: Facts) -> Verdict:
    commands = have(facts.manager).commands
    lacking = sorted({right for a, right in NEEDED_ACTIONS.items() if a not in commands})
    if lacking:
        return error(f"it lacks the right to write {', '.join(lacking)}")
    surplus = sorted({right for action, right in TOO_MUCH.items() if action in commands})
    if surplus:
        return warning(
            f"it may also write {', '.join(surplus)}",
            "Take these from `write` in manager.conf and reload: whoever gets at the secret would "
            "own the machine.",
        )
    return ok("system, call, originate, reporting")


def judge_ami_events(facts: Facts) -> Verdict:
    """What it may see is not told over AMI: the console knows, else the file."""
    user = facts.settings.ami_user
    conf = have(facts.configuration)
    read = ",".join(conf.values("manager.conf", user, "read"))
    if not isinstance(facts.console, Missing):
        shown = facts.console.output.get("manager show user {ami_user}", "")
        read = (re.search(r"read perm:\s*(\S*)", shown) or ["", read])[1]
    rights = {word.strip() for word in read.split(",")}
    lacking = [right for right in NEEDED_READ if right not in rights and "all" not in rights]
    filters = conf.values("manager.conf", user, "eventfilter")
    lacking += [n for n in NEEDED_FILTERS if filters and not any(n in f for f in filters)]
    disabled = ",".join(conf.values("manager.conf", "general", "disabledevents")).split(",")
    lacking += [n for n in NEEDED_FILTERS if n in (name.strip() for name in disabled)]
    if lacking:
        return error(f"it does not hear of: {', '.join(lacking)}")
    return ok("calls and restarts are heard of")


def judge_ami_address(facts: Facts) -> Verdict:
    address = have(facts.configuration).value("manager.conf", "general", "bindaddr")
    if address is None or not (address.startswith("127.") or address in ("::1", "localhost")):
        return warning(f"it listens on {address or 'every address'}")
    return ok(f"it listens on {address}")


def judge_systemname(facts: Facts) -> Verdict:
    theirs = have(facts.manager).settings.get("systemname", "")
    if theirs != facts.settings.systemname:
        return error(f"Asterisk says {theirs!r}, callctl's settings {facts.settings.systemname!r}")
    return ok(theirs)


def judge_modules(facts: Facts) -> Verdict:
    modules = have(facts.manager).modules
    lacking = [name for name in needed_modules() if not modules.get(name)]
    if lacking:
        return error(f"not loaded: {', '.join(lacking)}")
    return ok(f"{len(needed_modules())} loaded")


def judge_other_sinks(facts: Facts) -> Verdict:
    manager = have(facts.manager)
    found = [name for name in UNWANTED_MODULES if manager.modules.get(name)]
    if manager.settings.get("corecdrenabled", "No") != "No":
        found.append("the CDR engine (cdr.conf)")
    if found:
        return warning(f"also on: {', '.join(found)}")
    return ok("the journal is the only one")


def judge_events(facts: Facts) -> Verdict:
    conf = have(facts.configuration)
    problems = _event_problems_of_file(conf)
    if not isinstance(facts.console, Missing):
        problems += _event_problems_of_run(facts.console.output.get("cel show status", ""))
    if problems:
        return error("; ".join(dict.fromkeys(problems)))
    return ok(f"{len(NEEDED_EVENTS)} kinds of events")


def _event_problems_of_file(conf: Configuration) -> list[str]:
    general = {key: conf.value("cel.conf", "general", key) for key in ("enable", "dateformat")}
    events = {e.strip() for v in conf.values("cel.conf", "general", "events") for e in v.split(",")}
    apps = {a.strip() for v in conf.values("cel.conf", "general", "apps") for a in v.split(",")}
    problems = []
    if (general["enable"] or "no").lower() not in ("yes", "true", "1", "on"):
        problems.append("cel.conf: not enabled")
    if lacking := _lacking(events):
        problems.append(f"cel.conf: events lacks {lacking}")
    if "dial" not in apps:
        problems.append("cel.conf: apps lacks dial")
    if general["dateformat"]:
        problems.append(f"cel.conf: dateformat is {general['dateformat']!r}, must be empty")
    return problems


def _event_problems_of_run(shown: str) -> list[str]:
    if "CEL Logging: Enabled" not in shown:
        return ["the running Asterisk writes no channel events"]
    tracked = set(re.findall(r"CEL Tracking Event: (\S+)", shown))
    lacking = _lacking(tracked)
    problems = [f"the running Asterisk lacks {lacking}: reload cel"] if lacking else []
    if "Custom" not in shown:
        problems.append("the running Asterisk has no cel_custom")
    return problems


def _lacking(events: Iterable[str]) -> str:
    there = set(events)
    return "" if "ALL" in there else ", ".join(e for e in NEEDED_EVENTS if e not in there)


def judge_mapping(facts: Facts) -> Verdict:
    mapping = have(facts.configuration).value("cel_custom.conf", "mappings", JOURNAL_NAME)
    if mapping is None:
        return error(f"cel_custom.conf maps nothing to {JOURNAL_NAME}")
    if not mapping.startswith("${EPOCH},"):
        return error("the mapping does not begin with ${EPOCH}, so rows are cut at 1023 bytes")
    found = [_column(text) for text in mapping.split(",")[1:]]
    names = ("epoch", *(name for name, _ in found))
    if names != COLUMNS:
        pairs = zip(COLUMNS, names, strict=False)
        wrong = next((wanted for wanted, name in pairs if wanted != name), None)
        where = f"from {wrong!r} on" if wrong else f"{len(names)} of {len(COLUMNS)}"
        return error(f"the columns are not those of docs/journal.md: {where}")
    bare = [name for name, quoted in found if not quoted and name not in _OWN_WORDS]
    if bare:
        return error(f"without CSV_QUOTE, so that a caller's quote breaks rows: {', '.join(bare)}")
    return ok(f"{len(COLUMNS)} columns, of any length")


def _column(text: str) -> tuple[str, bool]:
    """A column's name, and whether quotes in it are doubled; an empty name for another thing."""
    quoted = _QUOTED.fullmatch(text)
    found = quoted or _PLAIN.fullmatch(text)
    name = (found[1] or found[2] or found[3]) if found else ""
    return _NAMES.get(name, name), quoted is not None


def judge_overload(facts: Facts) -> Verdict:
    value = have(facts.configuration).value(
        "pjsip.conf", "global", "taskprocessor_overload_trigger"
    )
    if not isinstance(facts.console, Missing):
        shown = facts.console.output.get("pjsip show settings", "")
        value = (re.search(r"taskprocessor_overload_trigger\s*:\s*(\S+)", shown) or ["", value])[1]
    if value != "pjsip_only":
        return error(f"it is {value or 'global'}")
    return ok("pjsip_only")


def judge_dialplan(facts: Facts) -> Verdict:
    generated = facts.settings.asterisk_generated_dir
    conf = have(facts.configuration)
    wanted = {name: str(generated / name) for name in ("extensions.conf", "pjsip.conf")}
    lacking = [name for name, path in wanted.items() if path not in conf.includes(name)]
    if lacking:
        return error(f"{' and '.join(lacking)} of Asterisk do not include {generated}")
    if not have(facts.manager).fallback_loaded:
        return error(
            "the running dialplan has no callctl-fallback: with the daemon away calls go nowhere",
            "Is the generated extensions.conf there? Then `dialplan reload` on Asterisk's console.",
        )
    return ok("included and loaded")


def judge_agi_address(facts: Facts) -> Verdict:
    """Whom Asterisk asks, and whether it is us: same address, same network."""
    settings = facts.settings
    wanted = f"agi://{settings.agi_host}:{settings.agi_port}/route"
    asked = have(facts.configuration).value("extensions.conf", "globals", "CALLCTL_AGI")
    if not isinstance(facts.console, Missing):
        shown = facts.console.output.get("dialplan show globals", "")
        asked = (re.search(r"CALLCTL_AGI=(\S+)", shown) or ["", asked])[1]
    if asked != wanted:
        return error(f"Asterisk asks {asked or 'nobody'}, callctl answers at {wanted}")
    process = facts.process
    if not isinstance(process, Missing) and process.same_network is False:
        return warning(
            f"Asterisk asks {asked}, but from a network of its own, where that may be nobody",
            "Give both containers the machine's network, as deploy/compose.yaml does. Dialling *99 "
            "tells: a high beep means that callctl answers.",
        )
    return ok(f"Asterisk asks {asked}")


def judge_codecs(facts: Facts) -> Verdict:
    conf = have(facts.configuration)
    codecs = sorted(
        {
            codec.strip().lstrip("!")
            for value in conf.anywhere("pjsip.conf", "allow")
            for codec in value.split(",")
        }
        - {"", "all"}
    )
    table = parse_translations(have(facts.console).output.get("core show translation", ""))
    unknown = [codec for codec in codecs if codec not in table]
    if unknown:
        return warning(f"no module for {', '.join(unknown)}")
    pairs = [f"{a} to {b}" for a in codecs for b in codecs if a != b and b not in table[a]]
    if pairs:
        return warning(f"nothing translates {', '.join(pairs)}")
    return ok(f"{', '.join(codecs)}: each into each")


def parse_translations(shown: str) -> dict[str, frozenset[str]]:
    """``core show translation``: from each format, to which others there is a way."""
    lines = [line.split() for line in shown.splitlines() if line.strip()]
    rows = [
        line for line in lines if len(line) > 2 and all(w == "-" or w.isdigit() for w in line[1:])
    ]
    if not rows:
        return {}
    names = lines[lines.index(rows[0]) - 1]
    return {
        row[0]: frozenset(n for n, cost in zip(names, row[1:], strict=False) if cost != "-")
        for row in rows
    }


def judge_rtp(facts: Facts) -> Verdict:
    conf = have(facts.configuration)
    first, last = (conf.value("rtp.conf", "general", key) for key in ("rtpstart", "rtpend"))
    if not (first and last and first.isdecimal() and last.isdecimal()):
        return warning("rtp.conf names no range", "Set rtpstart and rtpend in rtp.conf.")
    # Two ports a leg, two legs a call.
    calls = (int(last) - int(first) + 1) // 4
    if calls < 100:
        return warning(f"{first} to {last}: room for {calls} calls")
    ephemeral = facts.machine.ephemeral_ports
    if ephemeral and int(last) >= ephemeral[0] and int(first) <= ephemeral[1]:
        return warning(
            f"{first} to {last} overlaps the ports that the kernel gives out "
            f"({ephemeral[0]} to {ephemeral[1]})",
            f"sysctl -w net.ipv4.ip_local_reserved_ports={first}-{last}, and keep it in "
            "/etc/sysctl.d.",
        )
    return ok(f"{first} to {last}: room for {calls} calls")


def judge_open_files(facts: Facts) -> Verdict:
    limit = have(facts.process).open_files
    if limit < 4096:
        return warning(f"{limit}, about {limit // 6} calls")
    return ok(f"{limit}")
