"""What the API says of thresholds."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from callctl.core.calls.too_long import Threshold
from callctl.core.routing.plan import Direction

Mail = Annotated[str, Meta(min_length=3, max_length=254, pattern=r"^[^@\s,;<>\"]+@[^@\s,;<>\"]+$")]


class TooLongRule(Struct, frozen=True, forbid_unknown_fields=True):
    """A call that talks longer than `seconds`, or costs its account more than `cost` (minor units
    of its currency), is too long; one of both must be there. What else is left out fits any
    call; the most specific rule decides: extension, then hunt group, then the longest prefix, then
    direction. `prefix`: first characters of the called number, as +36 or +3690. `hang_up` ends the
    call."""

    seconds: Annotated[int, Meta(ge=1, le=86_400)] | None = None
    direction: Literal["inbound", "outbound", "internal"] | None = None
    extension: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    group: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    prefix: Annotated[str, Meta(max_length=20, pattern=r"^\+?[0-9]*$")] = ""
    hang_up: bool = False
    cost: Annotated[int, Meta(ge=0, le=10**13)] | None = None

    def threshold(self) -> Threshold:
        direction = Direction(self.direction) if self.direction else None
        return Threshold(
            self.seconds,
            direction,
            self.extension,
            self.group,
            self.prefix,
            self.hang_up,
            self.cost,
        )


class TooLongSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """From when on a call of the account is too long, and who is mailed of it."""

    rules: Annotated[list[TooLongRule], Meta(max_length=500)] = []
    mail_to: Annotated[list[Mail], Meta(max_length=20)] = []
