"""Where the files that are not Python live: in the wheel, or at the root of a checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: str) -> Path:
    """The directory ``name`` (``dialplan``, ``asterisk-conf``, ``migrations``).

    Raises FileNotFoundError, naming both places that were looked at.
    """
    places = (_PACKAGE / "_data" / name, _PACKAGE.parent / name)
    for place in places:
        if place.is_dir():
            return place
    raise FileNotFoundError(f"resource directory {name!r}: not in {places[0]} nor {places[1]}")
