"""deploy/fail2ban as fail2ban itself reads it: whom a log would have banned."""

import asyncio
import os
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNPACKED = ROOT / ".callctl/fail2ban"
FILTERS = ROOT / "deploy/fail2ban/filter.d"


async def counted(log: Path, filter_name: str) -> Counter[str]:
    """How many failures of each address the filter finds. Raises AssertionError."""
    process = await asyncio.create_subprocess_exec(
        *("/usr/bin/python3", str(UNPACKED / "usr/bin/fail2ban-regex")),
        *("--config", str(UNPACKED / "etc/fail2ban"), "--usedns", "no", "--out", "ip"),
        *(str(log), str(FILTERS / f"{filter_name}.conf")),
        env={**os.environ, "PYTHONPATH": str(UNPACKED / "usr/lib/python3/dist-packages")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode in (0, 1), err.decode()
    assert not err.strip(), err.decode()
    return Counter(out.decode().split())
