"""Display hints: in which colour and with which picture a call is shown (R001-06, R001-09).

The account's own rules come first, then those that everybody has; the first one that fits decides.
Whoever shows calls asks for the rules once (`GET /api/v1/display-hints`) and goes by them, so that
no page of the history has to read them and a new rule holds for old calls, too.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.db.audit import record_change
from callctl.db.pool import Database
from callctl.features.calls.model import CallSummary, DirectionName, DispositionName

ColourName = Literal["red", "amber", "green", "blue", "purple", "grey"]
IconName = Literal[
    "alert", "tick", "cross", "question", "return", "circle", "half", "barred", "incoming",
    "outgoing", "internal", "star", "flag", "phone", "clock",
]  # fmt: skip
OutcomeName = DispositionName | Literal["MISSED"]


class HintRule(Struct, frozen=True, forbid_unknown_fields=True):
    """Calls of `direction` that ended with `outcome` look so; null fits all. `MISSED`: incoming,
    unanswered and not refused by a rule, whatever the disposition. The icon is always there, since
    a colour alone tells nothing to some."""

    colour: ColourName
    icon: IconName
    direction: DirectionName | None = None
    outcome: OutcomeName | None = None

    def fits(self, call: CallSummary) -> bool:
        if self.direction not in (None, call.direction):
            return False
        if self.outcome == "MISSED":
            return call.missed
        return self.outcome in (None, call.disposition)


class DisplayHints(Struct, frozen=True, forbid_unknown_fields=True):
    """The account's own rules, in the order in which they are tried."""

    rules: Annotated[list[HintRule], Meta(max_length=100)]


class DisplayHintsView(Struct, frozen=True):
    """A call looks as the first rule says that fits it: of `rules`, then of `defaults`."""

    rules: list[HintRule]
    defaults: list[HintRule]


DEFAULTS = (
    # What the PBX could not tell is never shown as a lost call (R001-05).
    HintRule("grey", "question", outcome="UNKNOWN"),
    # The only red: an incoming call that nobody took is what must not be overlooked.
    HintRule("red", "alert", outcome="MISSED"),
    HintRule("green", "tick", outcome="ANSWERED"),
    HintRule("amber", "return", outcome="CANCELLED"),
    HintRule("amber", "circle", outcome="NO_ANSWER"),
    HintRule("amber", "half", outcome="BUSY"),
    HintRule("purple", "barred", outcome="REJECTED"),
    HintRule("purple", "cross", outcome="FAILED"),
    HintRule("grey", "question"),  # of a later version
)


def find_hint(call: CallSummary, rules: Iterable[HintRule]) -> HintRule:
    """The first of `rules`, then of the defaults, that fits."""
    own = next((rule for rule in rules if rule.fits(call)), None)
    return own or next(rule for rule in DEFAULTS if rule.fits(call))


RULES = "select rules from display_hints where account_id = $1"
# A row to lock, so that what the audit log calls "before" is what was replaced.
RULES_MAKE = """
insert into display_hints (account_id, rules) values ($1, '[]') on conflict do nothing
"""
RULES_LOCK = "select rules from display_hints where account_id = $1 for update"
RULES_UPDATE = "update display_hints set rules = $2, changed_at = now() where account_id = $1"


class HintService:
    """An account's display hints."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, account_id: int) -> DisplayHintsView:
        stored = await self._db.fetchval(RULES, account_id)
        return DisplayHintsView(msgspec.convert(stored or [], list[HintRule]), list(DEFAULTS))

    async def save(self, account_id: int, hints: DisplayHints, author: Author) -> DisplayHintsView:
        """All rules anew. Raises CallctlError("invalid_field") for a rule that can fit no call."""
        for index, rule in enumerate(hints.rules):
            if rule.outcome == "MISSED" and rule.direction not in (None, "inbound"):
                place = f"body.rules[{index}].direction"
                raise CallctlError("invalid_field", "only incoming calls are missed", place)
        after: Any = msgspec.to_builtins(hints.rules)
        async with self._db.transaction() as connection:
            await connection.execute(RULES_MAKE, account_id)
            before = await connection.fetchval(RULES_LOCK, account_id)
            await connection.execute(RULES_UPDATE, account_id, after)
            await record_change(
                connection,
                account_id,
                author,
                "display_hints.changed",
                f"account:{account_id}",
                {"rules": before},
                {"rules": after},
            )
        return DisplayHintsView(hints.rules, list(DEFAULTS))
