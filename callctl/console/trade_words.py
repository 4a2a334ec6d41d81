"""Words of the trade with numbers and money: what a number is, what it can do, what was booked."""

from collections.abc import Iterable, Mapping

from callctl.console.language import N_, gettext

NUMBER_TYPES = {
    "fixed": N_("fixed line"),
    "mobile": N_("mobile"),
    "fixed_or_mobile": N_("fixed line or mobile"),
    "toll_free": N_("free for callers"),
    "shared_cost": N_("shared cost"),
    "premium": N_("premium rate"),
    "voip": N_("over the internet"),
    "other": N_("other"),
}
CAPABILITIES = {"voice": N_("calls"), "sms": N_("SMS"), "fax": N_("fax")}
ENTRIES = {
    "call": N_("a call"),
    "correction": N_("taken back"),
    "issue": N_("funds given"),
    "number_month": N_("a number for a month"),
    "number_setup": N_("a number bought"),
    "package": N_("a package of seats"),
    "seat": N_("more seats"),
    "top_up": N_("topped up"),
    "transfer": N_("paid to the seller"),
}


def number_type(kind: str) -> str:
    return _in_words(NUMBER_TYPES, kind)


def capabilities(given: Iterable[str]) -> str:
    return ", ".join(_in_words(CAPABILITIES, one) for one in given)


def entry(kind: str) -> str:
    """What a line of the ledger is for."""
    return _in_words(ENTRIES, kind)


def _in_words(table: Mapping[str, str], key: str) -> str:
    """A word of a newer version by its own name."""
    return gettext(table[key]) if key in table else key.replace("_", " ")
