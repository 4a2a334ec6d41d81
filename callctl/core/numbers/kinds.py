"""What kind of number it is, and what it can do."""

from enum import StrEnum


class NumberType(StrEnum):
    FIXED = "fixed"
    MOBILE = "mobile"
    FIXED_OR_MOBILE = "fixed_or_mobile"
    TOLL_FREE = "toll_free"
    SHARED_COST = "shared_cost"
    PREMIUM = "premium"
    VOIP = "voip"
    OTHER = "other"


class Capability(StrEnum):
    VOICE = "voice"
    SMS = "sms"
    FAX = "fax"
