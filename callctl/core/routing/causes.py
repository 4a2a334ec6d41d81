"""Words for the Q.850 causes a rule may end a call with: ``hangup:busy`` or ``hangup:17``."""

HANGUP_CAUSES: dict[str, int] = {
    "unallocated": 1,
    "normal": 16,
    "busy": 17,
    "no_answer": 19,
    "unavailable": 20,
    "rejected": 21,
    "congestion": 34,
}

_WORDS = {cause: word for word, cause in HANGUP_CAUSES.items()}


def parse_cause(text: str) -> int:
    """A word above or a number 1..127. Raises ValueError that names the words."""
    cause = HANGUP_CAUSES.get(text)
    if cause is not None:
        return cause
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= 127:
        return int(text)
    raise ValueError(f"{text!r} is no cause: one of {', '.join(HANGUP_CAUSES)}, or 1 to 127")


def cause_word(cause: int) -> str:
    """The word of `cause`, or its number."""
    return _WORDS.get(cause, str(cause))
