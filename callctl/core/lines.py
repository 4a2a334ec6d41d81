"""Text of one line that people write: notes, reasons, addresses."""

from callctl.core.errors import CallctlError


def checked_line(text: str, field: str) -> str:
    """`text` without blanks around it; may be empty.

    Raises CallctlError("invalid_field") for line ends, and for characters that cannot be seen or
    that turn the direction of writing.
    """
    if not text.isprintable():
        raise CallctlError(
            "invalid_field", "must be one line of characters that can be seen", field
        )
    return text.strip()
