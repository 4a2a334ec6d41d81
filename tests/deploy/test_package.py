"""``pip install .`` and the service unit: what an installation without containers rests on."""

import json
import shutil
import subprocess
import venv
from pathlib import Path

import pytest

from tests.deploy.containers import CHECKOUT
from tests.deploy.test_image import DATA_FILES, files_of_checkout

INSTALL_SECONDS = 300


def test_pip_install_in_a_fresh_venv_gives_a_whole_callctl(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv/bin"
    subprocess.run(
        [programs / "pip", "install", "--quiet", CHECKOUT],
        check=True,
        timeout=INSTALL_SECONDS,
        cwd=tmp_path,
    )
    document = json.loads(subprocess.check_output([programs / "callctl", "openapi"], cwd=tmp_path))
    assert document["openapi"].startswith("3.1")
    installed = json.loads(
        subprocess.check_output([programs / "python", "-c", DATA_FILES], cwd=tmp_path)
    )
    assert set(installed) == files_of_checkout()


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (Debian: systemd); the unit is not checked")
    unit = (CHECKOUT / "deploy/callctl.service").read_text()
    copy = tmp_path / "callctl.service"
    copy.write_text(unit.replace("/opt/callctl/bin/callctl", shutil.which("true") or "true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
