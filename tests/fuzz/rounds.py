"""How long fuzzing goes on, and how a failure is found again.

The suite's short form draws new examples in each run, from a seed that stands in pytest's header;
``FUZZ_SEED=<that> pytest tests/fuzz/…`` draws the same ones. ``make fuzz`` goes on, seed after
seed, for ``FUZZ_SECONDS``.
"""

import os
import secrets
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings

SEED = int(os.environ.get("FUZZ_SEED") or secrets.randbelow(2**32))
SCALE = float(os.environ.get("FUZZ_SCALE", "1"))

SETTINGS: dict[str, Any] = {
    "deadline": None,
    # An example database would make a run depend on what earlier ones found.
    "database": None,
    "phases": [Phase.explicit, Phase.generate, Phase.shrink],
    "suppress_health_check": list(HealthCheck),
    "print_blob": True,
}


def fuzz(examples: int) -> Callable[[Any], Any]:
    """Goes above ``@given``: so many examples in the short form, drawn from this run's seed."""

    def decorate(test: Any) -> Any:
        return seed(SEED)(settings(max_examples=max(1, round(examples * SCALE)), **SETTINGS)(test))

    return decorate
