"""``make fuzz``: the tests of this directory again and again, a new seed each time.

Ends after FUZZ_SECONDS (600), or with the first round that fails: its seed is printed.
"""

import os
import secrets
import subprocess
import sys
import time

SCALE = 10
"""Examples of a round, as a multiple of the suite's short form."""


def main() -> int:
    seconds = float(os.environ.get("FUZZ_SECONDS", "600"))
    seed = int(os.environ.get("FUZZ_SEED") or secrets.randbelow(2**32))
    until = time.monotonic() + seconds
    rounds = 0
    while rounds == 0 or time.monotonic() < until:
        given = {"FUZZ_SEED": str(seed), "FUZZ_SCALE": str(SCALE)}
        command = [sys.executable, "-m", "pytest", "-x", "tests/fuzz", *sys.argv[1:]]
        print(f"round {rounds + 1}: FUZZ_SEED={seed}", flush=True)
        if code := subprocess.run(command, env=os.environ | given).returncode:
            again = " ".join(f"{name}={value}" for name, value in given.items())
            print(f"again: {again} {' '.join(command[1:])}", flush=True)
            return code
        rounds += 1
        seed = (seed + 1) % 2**32
    print(f"{rounds} rounds in {seconds:.0f} s found nothing", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
