"""What only few need is not in everybody's memory."""

import subprocess
import sys

WHEN_FIRST_NEEDED = (
    "av",
    "cryptography",
    "numpy",
    "openpyxl",
    "pocketsphinx",
    "pypinyin",
    "segno",
    "xlsxwriter",
)


def test_the_daemon_starts_without_the_libraries_that_few_operations_need() -> None:
    names = "{name.partition('.')[0] for name in sys.modules}"
    asked = f"import sys, callctl.app, callctl.cli.system; print(*{names})"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "aiohttp" in loaded
    assert loaded.isdisjoint(WHEN_FIRST_NEEDED)
