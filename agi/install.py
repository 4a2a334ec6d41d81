"""Puts the local AGI script where Asterisk looks for it."""

import importlib.util
import os
import shlex
import shutil
from pathlib import Path

CHECK_SCRIPT = "callctl-check"


def install_check(agi_dir: Path) -> tuple[Path, ...]:
    """Write `CHECK_SCRIPT` into Asterisk's AGI directory; the directories it must be able to read.

    A wrapper, because the script needs pyst2, and the Python that Asterisk finds need not be the
    one that callctl is installed in. Raises FileNotFoundError when pyst2 is not installed.
    """
    libraries, script = _pyst2().parent, _script()
    _write_wrapper(agi_dir, script, libraries)
    return (script.parent, libraries)


def copy_check(agi_dir: Path) -> None:
    """As `install_check`, with copies of the script and of pyst2 beside it.

    For an Asterisk that cannot read where callctl is installed: another user, another container.
    Raises FileNotFoundError when pyst2 is not installed, OSError.
    """
    directory = agi_dir / f"{CHECK_SCRIPT}.d"
    without_cache = shutil.ignore_patterns("__pycache__")
    shutil.copytree(_pyst2(), directory / "asterisk", ignore=without_cache, dirs_exist_ok=True)
    six = importlib.util.find_spec("six")  # what pyst2 imports
    if six is not None and six.origin is not None:
        shutil.copyfile(six.origin, directory / "six.py")
    shutil.copyfile(_script(), directory / "check.py")
    _write_wrapper(agi_dir, directory / "check.py", directory)


def _pyst2() -> Path:
    """The directory of its package."""
    spec = importlib.util.find_spec("asterisk")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("pyst2 is not installed: no package 'asterisk'")
    return Path(next(iter(spec.submodule_search_locations)))


def _script() -> Path:
    return Path(__file__).resolve().with_name("check.py")


def _write_wrapper(agi_dir: Path, script: Path, libraries: Path) -> None:
    text = (
        "#!/bin/sh\n"
        f"PYTHONPATH={shlex.quote(str(libraries))} PYTHONDONTWRITEBYTECODE=1 \\\n"
        f'exec python3 {shlex.quote(str(script))} "$@"\n'
    )
    agi_dir.mkdir(parents=True, exist_ok=True)
    new = agi_dir / f".{CHECK_SCRIPT}.new"
    new.write_text(text, encoding="utf-8")
    new.chmod(0o755)
    os.replace(new, agi_dir / CHECK_SCRIPT)
