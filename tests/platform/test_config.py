"""Settings: three sources, strict types, and lines that say what is wrong and where."""

from dataclasses import fields
from pathlib import Path

import pytest

from callctl.config import (
    REMEMBERED_FILE,
    ConfigError,
    Settings,
    dump_settings,
    environment_name,
    load_settings,
    networks_of,
    rule_of,
)


def _file(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = _file(tmp_path / "c.toml", 'http_port = 1\nami_user = "file"\n')
    settings = load_settings({"CALLCTL_CONFIG": str(file), "CALLCTL_HTTP_PORT": "2"})
    assert (settings.http_port, settings.ami_user, settings.agi_port) == (2, "file", 4573)


def test_relative_paths_are_beneath_the_state_directory() -> None:
    settings = load_settings({"CALLCTL_STATE_DIR": "/srv/c"})
    assert settings.recordings_dir == Path("/srv/c/recordings")
    assert load_settings({"CALLCTL_RECORDINGS_DIR": "/r"}).recordings_dir == Path("/r")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("htp_port = 1", r"c\.toml: htp_port: there is no such setting"),
        ('http_port = "1"', r"c\.toml: http_port: expected a whole number, not '1'"),
        ("http_port = 1.0", "expected a whole number"),
        ("http_port = true", "expected a whole number"),
        ("http_port = 70000", "70000 is more than 65535"),
        ("ami_user = 5", "expected a text"),
        ('ami_user = ""', "a word"),
        ('log_level = "loud"', "not one of debug, info, warning, error"),
        ('state_dir = ""', "a path"),
        ('http_public_url = "calls.example.org"', "must be https://host"),
        ('payment_provider_url = "pay.example.org"', "must be https://host"),
        ('payment_provider_secret = "short"', "16 characters"),
        ('database_url = "mysql://x"', "must begin with postgresql://"),
        ("journal_grace_seconds = -1", "less than 0"),
        ("[http]\nport = 1", "http: there is no such setting"),
        ("http_port = ", r"c\.toml: "),
    ],
)
def test_a_wrong_file_is_refused_with_what_and_where(tmp_path: Path, text: str, words: str) -> None:
    file = _file(tmp_path / "c.toml", text)
    with pytest.raises(ConfigError, match=words):
        load_settings({}, file)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("CALLCTL_HTP_PORT", "1", "CALLCTL_HTP_PORT: there is no such setting"),
        ("CALLCTL_HTTP_PORT", "http", "CALLCTL_HTTP_PORT: expected a whole number, not 'http'"),
        ("CALLCTL_JOURNAL_GRACE_SECONDS", "soon", "expected a number"),
        ("CALLCTL_JOURNAL_GRACE_SECONDS", "nan", "expected a number"),
        ("CALLCTL_CONFIG", "/nowhere.toml", "no such file"),
    ],
)
def test_a_wrong_environment_is_refused(name: str, value: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_settings({name: value})


@pytest.mark.parametrize("name", ["AGI_SOURCES", "HTTP_PROXIES"])
def test_networks_are_read_one_by_one(name: str) -> None:
    settings = load_settings({f"CALLCTL_{name}": " 10.0.0.0/8 ,192.0.2.1, 2001:db8::/32"})
    text = getattr(settings, name.lower())
    assert networks_of(text) == ("10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32")
    for wrong in ("10.0.0.1/8", "everybody", "10.0.0.0/8;::1"):
        with pytest.raises(ConfigError, match=name):
            load_settings({f"CALLCTL_{name}": wrong})


def test_somebody_must_be_allowed_to_ask() -> None:
    with pytest.raises(ConfigError, match="at least one network"):
        load_settings({"CALLCTL_AGI_SOURCES": " , "})
    assert networks_of(load_settings({"CALLCTL_HTTP_PROXIES": ""}).http_proxies) == ()


def test_secrets_are_in_no_message_and_no_repr(tmp_path: Path) -> None:
    file = _file(tmp_path / "c.toml", "ami_secret = 12345")
    with pytest.raises(ConfigError) as caught:
        load_settings({}, file)
    assert "12345" not in str(caught.value)
    assert "hush" not in repr(load_settings({"CALLCTL_AMI_SECRET": "hush"}))


def test_every_setting_is_explained_and_has_a_variable() -> None:
    for item in fields(Settings):
        assert rule_of(item).help.endswith(".")
        assert environment_name(item.name) == f"CALLCTL_{item.name.upper()}"


def test_secrets_of_trunks_are_no_settings() -> None:
    assert load_settings({"CALLCTL_SECRET_CARRIER": "x"}) == load_settings({})


def test_what_the_daemon_runs_with_stands_in_for_the_defaults_of_who_looks_at_it(
    tmp_path: Path,
) -> None:
    environ = {"CALLCTL_STATE_DIR": str(tmp_path)}
    ran = load_settings(
        environ
        | {
            "CALLCTL_AMI_PORT": "5999",
            "CALLCTL_HTTP_PORT": "9000",
            "CALLCTL_AMI_SECRET": "hush",
            "CALLCTL_DATABASE_URL": "postgresql://x:hush@h/d",
            "CALLCTL_JOURNAL_GRACE_SECONDS": "0.5",
            "CALLCTL_JOURNAL_PATH": '/a b/"journal".csv',
        }
    )
    text = dump_settings(ran)
    assert "hush" not in text
    (tmp_path / REMEMBERED_FILE).write_text(text)
    looked = load_settings(environ | {"CALLCTL_HTTP_PORT": "1"}, remembered=True)
    assert (looked.ami_port, looked.http_port, looked.ami_secret) == (5999, 1, "")
    assert looked.journal_path == ran.journal_path
    assert looked.journal_grace_seconds == 0.5
    assert load_settings(environ).ami_port == 5038


def test_a_remembered_file_of_another_version_is_no_hindrance(tmp_path: Path) -> None:
    environ = {"CALLCTL_STATE_DIR": str(tmp_path)}
    for text in ("ami_port = 1\nof_tomorrow = 2\n", "nonsense", 'ami_port = "x"\n'):
        (tmp_path / REMEMBERED_FILE).write_text(text)
        assert load_settings(environ, remembered=True) == load_settings(environ)
