"""Settings: one table that feeds the settings file, the environment and docs/settings.md.

Sources, later ones win: the default, the TOML file (``CALLCTL_CONFIG``, or
``/etc/callctl/callctl.toml`` where there is one), ``CALLCTL_<NAME>`` in the environment.
A wrong value stops the start with a line that says what is wrong and where; nothing is repaired.
"""

import ipaddress
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

DEFAULT_CONFIG_FILE = Path("/etc/callctl/callctl.toml")
ENVIRONMENT_PREFIX = "CALLCTL_"
CONFIG_FILE_VARIABLE = "CALLCTL_CONFIG"
SECRET_VARIABLE_PREFIX = "CALLCTL_SECRET_"  # noqa: S105
"""Variables of this prefix are no settings: `secret_env` of a trunk reads them (docs/routing.md),
and nothing else, since a routing document must not fish in the environment."""


REMEMBERED_FILE = "running.toml"
"""Beneath `state_dir`: what the daemon there runs with, for commands that look at it."""


class ConfigError(Exception):
    """A setting that is unknown, of the wrong type or out of range. The text names its source."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What the table says of one setting besides its name, type and default."""

    help: str
    secret: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()


_RULE = "rule"


def _says(help: str, **rule: Any) -> dict[str, Rule]:
    return {_RULE: Rule(help, **rule)}


def _setting(default: Any, help: str, **rule: Any) -> Any:
    return field(default=default, metadata=_says(help, **rule))


def _port(default: int, help: str) -> Any:
    return _setting(default, help, minimum=0, maximum=65535)


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    """All settings of one daemon. Relative paths are beneath `state_dir`."""

    database_url: str | None = _setting(
        None,
        "PostgreSQL 16 or newer, as postgresql://user:password@host/database. Empty: an embedded "
        "server beneath `state_dir`.",
        secret=True,
    )
    state_dir: Path = field(
        default=Path("/var/lib/callctl"),
        metadata=_says("Where callctl keeps what is not in the database."),
    )
    systemname: str = _setting(
        "callctl", "Asterisk's `systemname`; tells several nodes on one database apart."
    )
    http_host: str = _setting("127.0.0.1", "Address of the API and the console.")
    http_port: int = _port(8080, "Port of the API and the console; 0 takes a free one.")
    http_public_url: str | None = _setting(
        None,
        "Address by which browsers reach the console, as https://calls.example.org. Set it behind "
        "a proxy: cookies are then Secure where it is https, and requests of other origins are "
        "told from our own by it. Empty: the Host header of each request.",
    )
    http_proxies: str = _setting(
        "",
        "Networks of the proxies before it, as 127.0.0.1/32, 10.0.0.0/8: what these say in "
        "X-Forwarded-For is taken for the client's address, by which sign-ins are throttled and "
        "logged. Empty: the address that connects.",
    )
    session_hours: int = _setting(
        12, "How long a person stays signed in to the console.", minimum=1, maximum=24 * 90
    )
    spend_slice_seconds: int = _setting(
        60,
        "Talk that a call is given at least while its account's money lasts; else it gets half of "
        "what is free, so that others can begin, and more while it goes on (docs/spend.md).",
        minimum=1,
        maximum=3600,
    )
    spend_least_seconds: int = _setting(
        10, "A call that money would end sooner is refused.", minimum=1, maximum=600
    )
    agi_host: str = _setting("127.0.0.1", "Address on which Asterisk asks for a plan (FastAGI).")
    agi_port: int = _port(4573, "Port on which Asterisk asks for a plan (FastAGI).")
    agi_sources: str = _setting(
        "127.0.0.0/8, ::1/128",
        "Networks from which Asterisk may ask. Whoever may connect can ask for plans.",
    )
    ami_host: str = _setting("127.0.0.1", "Address of Asterisk's manager interface (AMI).")
    ami_port: int = _port(5038, "Port of Asterisk's manager interface (AMI).")
    ami_user: str = _setting("callctl", "User of the manager interface.")
    ami_secret: str = _setting(
        "", "Its secret. Empty: read from `ami.secret` beneath `state_dir`.", secret=True
    )
    journal_path: Path = field(
        default=Path("/var/log/asterisk/cel-custom/journal.csv"),
        metadata=_says("The journal that Asterisk writes (CEL), on local disk."),
    )
    recordings_spool: Path = field(
        default=Path("/var/spool/asterisk/callctl"),
        metadata=_says("Where Asterisk writes recordings while they grow."),
    )
    recordings_dir: Path = field(
        default=Path("recordings"),
        metadata=_says("Where complete recordings are kept, as YYYY/MM/DD/<name>.opus."),
    )
    recordings_format: str = _setting(
        "opus",
        "What recordings become once their call is over, for accounts that did not choose "
        "(docs/recordings.md): Opus in Ogg, a twelfth of a WAV's size; WAV; both.",
        choices=("wav", "opus", "both"),
    )
    recordings_workers: int = _setting(
        1,
        "How many recordings are made at a time, each on a CPU of its own.",
        minimum=1,
        maximum=64,
    )
    recordings_key_file: Path = field(
        default=Path("recordings.key"),
        metadata=_says(
            "The master key of encrypted recordings, from `callctl recordings make-key`. Keep a "
            "copy elsewhere: without it they are noise."
        ),
    )
    recordings_key: str = _setting(
        "", "The same key itself, in base64, in place of the file.", secret=True
    )
    recording_access_days: int = _setting(
        0, "How long it is kept who listened to which recording. 0: for ever.", minimum=0
    )
    asterisk_generated_dir: Path = field(
        default=Path("/etc/asterisk/callctl.d"),
        metadata=_says("Where callctl writes endpoints, trunks and the fallback dialplan."),
    )
    journal_retention_days: int = _setting(
        90, "How long rotated journals are kept after they have been stored.", minimum=1
    )
    journal_grace_seconds: float = _setting(
        2.0, "How long a finished call waits for late journal rows.", minimum=0, maximum=3600
    )
    journal_lost_seconds: float = _setting(
        15.0,
        "How late a row of the journal may be before its call counts as lost (docs/alarms.md).",
        minimum=1,
        maximum=3600,
    )
    check_seconds: float = _setting(
        15.0, "How often callctl checks itself (docs/alarms.md).", minimum=0.1, maximum=300
    )
    disk_warning_mb: int = _setting(
        2048,
        "Free space (MB) of the journal's, the recordings' and `state_dir`'s disk below which an "
        "alarm is raised.",
        minimum=0,
    )
    disk_critical_mb: int = _setting(
        512, "The same, for an alarm that cannot wait for the morning.", minimum=0
    )
    recording_grace_minutes: int = _setting(
        60, "How long a file among the recordings may have no call that names it.", minimum=1
    )
    callback_minutes: int = _setting(
        60, "How soon after a missed call the customer should be called back.", minimum=1
    )
    exports_dir: Path = field(
        default=Path("exports"),
        metadata=_says("Where exports lie until they expire. Nothing else belongs there."),
    )
    exports_keep_hours: int = _setting(
        72, "How long an export can be downloaded. What it was can be verified for ever.", minimum=1
    )
    exports_at_once: int = _setting(
        3, "Exports of one account that may wait or run at once.", minimum=1, maximum=100
    )
    event_streams: int = _setting(
        64, "Streams of events that may be open at once.", minimum=1, maximum=1000
    )
    event_retention_days: int = _setting(
        14, "How long events and webhook deliveries are kept.", minimum=1, maximum=365
    )
    webhook_networks: str = _setting(
        "",
        "Networks within the house that webhooks may go to, as 10.1.2.0/24. Empty: public "
        "addresses only.",
    )
    package_quote_minutes: int = _setting(
        15, "How long a quote for a package can be paid.", minimum=1, maximum=24 * 60
    )
    number_grace_days: int = _setting(
        7, "How long an account keeps a number whose month it cannot pay.", minimum=0, maximum=365
    )
    number_quarantine_days: int = _setting(
        30, "How long a number that was given up is sold to nobody.", minimum=0, maximum=3650
    )
    number_test_seconds: int = _setting(
        60, "How long a test call to a number rings before it gives up.", minimum=5, maximum=300
    )
    number_provider_url: str | None = _setting(
        None,
        "Root of the API of a provider of numbers (docs/numbers.md), as https://numbers.example.org"
        "/v1. Empty: only the stock is sold.",
    )
    number_provider_token: str = _setting("", "Its bearer token.", secret=True)
    payment_provider_url: str | None = _setting(
        None,
        "Where the payment provider listens, as https://pay.example.org/v1 (docs/payments.md). "
        "Empty: nobody can pay through one.",
    )
    payment_provider_secret: str = _setting(
        "",
        "What signs requests to the payment provider, and its callbacks. 16 characters or more.",
        secret=True,
    )
    smtp_host: str = _setting("", "Mail server for notices. Empty: no mail is sent.")
    smtp_port: int = _port(587, "Port of the mail server.")
    smtp_security: str = _setting(
        "starttls",
        "How the connection to the mail server is encrypted.",
        choices=("starttls", "tls", "none"),
    )
    smtp_user: str = _setting("", "User at the mail server. Empty: none.")
    smtp_password: str = _setting("", "Its password.", secret=True)
    smtp_from: str = _setting("callctl@localhost", "Sender of mails.")
    log_level: str = _setting(
        "info", "Least severity that is logged.", choices=("debug", "info", "warning", "error")
    )
    log_format: str = _setting(
        "console",
        "How log lines look: for eyes, or one JSON object a line.",
        choices=("console", "json"),
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "state_dir", self.state_dir.absolute())
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Path) and not value.is_absolute():
                object.__setattr__(self, item.name, self.state_dir / value)

    def __repr__(self) -> str:
        """Secrets never reach a log by way of a repr."""
        shown = (
            f"{f.name}="
            + (
                "***"
                if rule_of(f).secret and getattr(self, f.name)
                else repr(getattr(self, f.name))
            )
            for f in fields(self)
        )
        return f"Settings({', '.join(shown)})"


def networks_of(text: str) -> tuple[str, ...]:
    """``127.0.0.0/8, ::1`` as networks. Raises ValueError that names the one that is none."""
    parts = (part.strip() for part in text.split(","))
    return tuple(str(ipaddress.ip_network(part)) for part in parts if part)


def rule_of(item: "Field[Any]") -> Rule:
    """The table's words on one field of `Settings`."""
    rule: Rule = item.metadata[_RULE]
    return rule


def environment_name(name: str) -> str:
    """``http_port`` -> ``CALLCTL_HTTP_PORT``."""
    return ENVIRONMENT_PREFIX + name.upper()


def load_settings(
    environ: Mapping[str, str], config_file: Path | None = None, *, remembered: bool = False
) -> Settings:
    """Read all sources and check them. Raises ConfigError.

    `config_file` stands in for ``CALLCTL_CONFIG``; a file that was named must exist. With
    `remembered`, what the daemon of this `state_dir` last ran with stands in for the defaults.
    """
    values = _file_values(environ, config_file) | _environment_values(environ)
    settings = Settings(**values)
    if not remembered:
        return settings
    return Settings(**(_remembered_values(settings.state_dir / REMEMBERED_FILE) | values))


def dump_settings(settings: Settings) -> str:
    """All but the secrets, as TOML that `load_settings` reads back."""
    lines = ["# Written by the daemon when it starts; changing it changes nothing."]
    for item in fields(Settings):
        value = getattr(settings, item.name)
        if value is not None and not rule_of(item).secret:
            text = json.dumps(str(value) if isinstance(value, Path) else value)
            lines.append(f"{item.name} = {text}")
    return "\n".join(lines) + "\n"


def _remembered_values(path: Path) -> dict[str, Any]:
    """None of them when the file is not there, not ours to read, or of another version."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        return {n: _checked(n, v, f"{path}: {n}", from_text=False) for n, v in raw.items()}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ConfigError):
        return {}


def _file_values(environ: Mapping[str, str], config_file: Path | None) -> dict[str, Any]:
    named = config_file or (
        Path(environ[CONFIG_FILE_VARIABLE]) if environ.get(CONFIG_FILE_VARIABLE) else None
    )
    path = named or DEFAULT_CONFIG_FILE
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if named is None:
            return {}
        raise ConfigError(f"settings file {path}: no such file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"settings file {path}: {error}") from error
    return {
        name: _checked(name, value, f"{path}: {name}", from_text=False)
        for name, value in raw.items()
    }


def _environment_values(environ: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: _checked(name, text, f"environment: {variable}", from_text=True)
        for variable, text in environ.items()
        if variable.startswith(ENVIRONMENT_PREFIX)
        and variable != CONFIG_FILE_VARIABLE
        and not variable.startswith(SECRET_VARIABLE_PREFIX)
        for name in [variable.removeprefix(ENVIRONMENT_PREFIX).lower()]
    }


_FIELDS = {item.name: item for item in fields(Settings)}
_TYPES: dict[str, Any] = get_type_hints(Settings)
_NETWORKS = frozenset({"agi_sources", "http_proxies", "webhook_networks"})
_WORDS = frozenset({"systemname", "ami_user", "http_host", "agi_host", "ami_host"})


def _checked(name: str, value: object, where: str, *, from_text: bool) -> Any:
    if name not in _FIELDS:
        raise ConfigError(f"{where}: there is no such setting (docs/settings.md lists them)")
    rule = rule_of(_FIELDS[name])
    kind = _TYPES[name]
    try:
        result = _converted(kind, value, from_text=from_text)
    except ValueError as error:
        shown = "" if rule.secret else f", not {value!r}"
        raise ConfigError(f"{where}: expected {error}{shown}") from None
    if rule.choices and result not in rule.choices:
        raise ConfigError(f"{where}: {result!r} is not one of {', '.join(rule.choices)}")
    if rule.minimum is not None and result < rule.minimum:
        raise ConfigError(f"{where}: {result} is less than {rule.minimum:g}")
    if rule.maximum is not None and result > rule.maximum:
        raise ConfigError(f"{where}: {result} is more than {rule.maximum:g}")
    _check_meaning(name, result, where)
    return result


def _converted(kind: Any, value: object, *, from_text: bool) -> Any:
    """`value` as `kind`. Raises ValueError that says in words what was expected."""
    if kind == str | None:
        return _converted(str, value, from_text=from_text) or None
    if kind is Path:
        text = _converted(str, value, from_text=from_text)
        if not text:
            raise ValueError("a path")
        return Path(text)
    if kind is str:
        if not isinstance(value, str):
            raise ValueError("a text in quotes")
        return value
    if isinstance(value, str) and from_text:
        try:
            number = int(value) if kind is int else float(value)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
    elif type(value) is kind and isinstance(value, (int, float)) and math.isfinite(value):
        return value
    elif kind is float and type(value) is int:
        return float(value)
    raise ValueError("a whole number" if kind is int else "a number")


def _check_meaning(name: str, value: Any, where: str) -> None:
    if name == "database_url" and value is not None:
        if urlsplit(value).scheme not in ("postgresql", "postgres"):
            raise ConfigError(f"{where}: must begin with postgresql://")
    elif name == "http_public_url" and value is not None:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
            raise ConfigError(f"{where}: must be https://host or http://host, without a path")
    elif name == "number_provider_url" and value is not None:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise ConfigError(f"{where}: must be https://host/path or http://host/path")
    elif name == "payment_provider_url" and value is not None:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query:
            raise ConfigError(f"{where}: must be https://host/path or http://host/path")
    elif name == "payment_provider_secret" and value and len(value) < 16:
        raise ConfigError(f"{where}: must have 16 characters or more")
    elif name in _NETWORKS:
        try:
            networks = networks_of(value)
        except ValueError as error:
            raise ConfigError(f"{where}: {error}") from None
        if not networks and name == "agi_sources":
            raise ConfigError(f"{where}: must name at least one network")
    elif name in _WORDS and (
        not value or not value.isprintable() or any(c.isspace() for c in value)
    ):
        raise ConfigError(f"{where}: must be a word without blanks")
