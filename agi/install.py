"""Puts the local AGI script where Asterisk looks for it."""

import importlib.util
import os
import shlex
from pathlib import Path

CHECK_SCRIPT = "callctl-check"


def install_check(agi_dir: Path) -> tuple[Path, ...]:
    """Write `CHECK_SCRIPT` into Asterisk's AGI directory; the directories it must be able to read.

    A wrapper, because the script needs pyst2, and the Python that Asterisk finds need not be the
    one that callctl is installed in. Raises FileNotFoundError when pyst2 is not installed.
    """
    spec = importlib.util.find_spec("asterisk")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("pyst2 is not installed: no package 'asterisk'")
    libraries = Path(next(iter(spec.submodule_search_locations))).parent
    script = Path(__file__).resolve().with_name("check.py")
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
    return (script.parent, libraries)
