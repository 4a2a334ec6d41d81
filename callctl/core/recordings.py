"""What a recording's file is called, in every form that it has."""

SEALED = ".sealed"
"""Ending of a file that is encrypted (docs/recordings.md)."""


def file_name(stem: str, format_: str, *, sealed: bool) -> str:
    """``pbx-17.5-2`` as ``pbx-17.5-2.opus``, or ``pbx-17.5-2.opus.sealed``."""
    return f"{stem}.{format_}{SEALED if sealed else ''}"


def stem_of(name: str) -> str:
    """Inverse of `file_name`, also of Asterisk's own ``.raw``; stems have dots of their own."""
    name = name.removesuffix(SEALED)
    for ending in (".wav", ".opus", ".raw"):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name
