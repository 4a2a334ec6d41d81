"""What people type to be dialled."""

import re

from callctl.core.errors import CallctlError

_IGNORED = re.compile(r"[\s().\-/]")
_NUMBER = re.compile(r"\+?[0-9*#]{1,30}")


def normalise_dialled(text: str, field: str = "body.to") -> str:
    """``+36 (1) 234-5678`` as ``+3612345678``. Raises CallctlError("invalid_field")."""
    number = _IGNORED.sub("", text)
    if not _NUMBER.fullmatch(number) or not number.isascii():
        raise CallctlError("invalid_field", "not a number to dial", field=field)
    return number
