"""``callctl asterisk-conf``: an administrator's files are safe, an upgrade needs no hands."""

import shutil
import stat
from pathlib import Path

import pytest

from callctl.cli import main


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Conf":
    for name, path in {
        "STATE_DIR": "state",
        "JOURNAL_PATH": "log/cel-custom/journal.csv",
        "RECORDINGS_SPOOL": "spool/callctl",
        "ASTERISK_GENERATED_DIR": "etc/callctl.d",
    }.items():
        monkeypatch.setenv(f"CALLCTL_{name}", str(tmp_path / path))
    return Conf(tmp_path)


class Conf:
    """The command, with everything beneath one directory."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.etc = home / "etc"

    def __call__(self, *options: str) -> int:
        places = ("module", "data", "lib", "spool", "run")
        return main(
            [
                *("asterisk-conf", str(self.etc)),
                *(word for name in places for word in (f"--{name}-dir", str(self.home / name))),
                *options,
            ]
        )


def test_writes_all_once_and_then_says_so(conf: Conf, capsys: pytest.CaptureFixture[str]) -> None:
    assert conf() == 0
    assert f"wrote {conf.etc / 'pjsip.conf'}" in capsys.readouterr().out
    assert conf() == 0
    assert capsys.readouterr().out == "up to date\n"
    secret = (conf.home / "state/ami.secret").read_text().strip()
    assert f"secret = {secret}" in (conf.etc / "manager.conf").read_text()
    for name in ("manager.conf", "tls/key.pem"):
        assert stat.S_IMODE((conf.etc / name).stat().st_mode) & 0o027 == 0, name


def test_files_of_others_are_left_alone_unless_told_and_then_kept(
    conf: Conf, capsys: pytest.CaptureFixture[str]
) -> None:
    conf.etc.mkdir()
    (conf.etc / "extensions.conf").write_text("; mine\n")
    assert conf() == 1
    assert "extensions.conf" in capsys.readouterr().err
    assert [path.name for path in conf.etc.iterdir()] == ["extensions.conf"]
    assert conf("--overwrite") == 0
    assert (conf.etc / "extensions.conf.orig").read_text() == "; mine\n"


def test_a_file_changed_by_hand_counts_as_the_administrators(conf: Conf) -> None:
    assert conf() == 0
    rtp = conf.etc / "rtp.conf"
    for number, kept in enumerate(("rtp.conf.orig", "rtp.conf.orig.2")):
        rtp.write_text(f"; by hand {number}\n")
        assert conf() == 1
        assert conf("--overwrite") == 0
        assert (conf.etc / kept).read_text() == f"; by hand {number}\n"


def test_an_option_changes_only_the_files_that_hold_it(
    conf: Conf, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conf() == 0
    capsys.readouterr()
    assert conf("--external-address", "203.0.113.7", "--local-network", "10.0.0.0/8") == 0
    assert capsys.readouterr().out == f"wrote {conf.etc / 'pjsip.conf'}\n"
    text = (conf.etc / "pjsip.conf").read_text()
    assert "external_signaling_address = 203.0.113.7" in text


def test_check_writes_nothing_and_tells_by_its_exit_code(
    conf: Conf, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conf("--check") == 1
    assert not conf.etc.exists()
    assert not (conf.home / "state").exists()
    assert conf() == 0
    assert conf("--check") == 0
    (conf.etc / "rtp.conf").write_text("; by hand\n")
    capsys.readouterr()
    assert conf("--check") == 1
    assert capsys.readouterr().out == f"{conf.etc / 'rtp.conf'} (not written by callctl)\n"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--external-address", "1.2.3.4\nevil"), "external_address"),
        (("--tls-key", "/key.pem"), "go together"),
        (("--user", "nobody-of-that-name"), "no user"),
    ],
)
def test_what_cannot_be_is_refused_with_a_line(
    conf: Conf, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], says: str
) -> None:
    assert conf(*options) == 2
    assert says in capsys.readouterr().err
    assert not conf.etc.exists()


def test_a_journal_that_asterisk_cannot_write_there_is_refused(
    conf: Conf, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLCTL_JOURNAL_PATH", "/data/calls.csv")
    assert conf() == 2
    assert "cel-custom/journal.csv" in capsys.readouterr().err


def test_the_check_script_needs_nothing_of_where_callctl_is_installed(conf: Conf) -> None:
    assert conf() == 0
    agi = conf.home / "lib/agi-bin"
    assert {path.name for path in (agi / "callctl-check.d").iterdir()} == {
        "asterisk",
        "check.py",
        "six.py",
    }
    assert str(agi / "callctl-check.d/check.py") in (agi / "callctl-check").read_text()
    assert shutil.which("callctl-check", path=str(agi))
