"""How long to wait before something is tried again."""

FIRST_SECONDS = 5.0
MOST_SECONDS = 3600.0


def next_wait(attempts: int, chance: float) -> float:
    """Seconds until the next try after `attempts` failed ones: doubled each time from 5 s up to an
    hour, less up to a half by `chance` (0 to 1), so that not all come back at once."""
    longest = min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempts - 1, 20))
    return longest * (1.0 - chance / 2.0)
