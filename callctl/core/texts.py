"""Texts that the console says in the language of its page."""


def N_(text: str) -> str:
    """Mark a text for the catalogues (scripts/messages); it is translated when it is shown."""
    return text
