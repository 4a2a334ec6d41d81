"""Rows of the stock, and the one way in which a number goes from state to state."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from callctl.core.errors import CallctlError
from callctl.core.numbers.charges import first_charge
from callctl.core.numbers.kinds import NumberType
from callctl.core.numbers.states import NumberEvent, NumberState, next_state, state_at
from callctl.core.periods import local_day
from callctl.features.numbers.model import OfferItem, PriceView, StockItem

STOCK_COLUMNS = """
s.id, s.number, s.seller_id, s.provider, s.provider_ref, s.country, s.area_code, s.area, s.type,
s.capabilities, s.currency, s.setup_price, s.monthly_price, s.state, s.until, s.account_id,
s.test_detail, now() as at
"""

NUMBER_BY_NAME = f"""
select {STOCK_COLUMNS} from stock_numbers s
where s.number = $1 and s.seller_id = any($2::bigint[]) for no key update
"""  # noqa: S608 - a constant of this file

NUMBER_OF_ACCOUNT = f"""
select {STOCK_COLUMNS} from stock_numbers s
where s.id = $1 and s.account_id = $2 for no key update
"""  # noqa: S608 - a constant of this file

NUMBER_OF_SELLER = f"""
select {STOCK_COLUMNS} from stock_numbers s
where s.id = $1 and s.seller_id = $2 for no key update
"""  # noqa: S608 - a constant of this file

NUMBER_BY_ID = f"""
select {STOCK_COLUMNS} from stock_numbers s where s.id = $1 for no key update
"""  # noqa: S608 - a constant of this file

NUMBER_MOVE = """
update stock_numbers set state = $2, account_id = $3, until = $4, changed_at = now() where id = $1
"""

ACCOUNT = """
select id, parent_id, code, country, timezone from accounts where id = $1
"""


@dataclass(frozen=True, slots=True)
class StockNumber:
    """A row of the stock as it is at `at`: a hold or a quarantine that is over has ended."""

    id: int
    number: str
    seller_id: int
    provider: str
    provider_ref: str
    country: str
    area_code: str
    area: str
    type: NumberType
    capabilities: tuple[str, ...]
    currency: str
    setup_price: int
    monthly_price: int
    state: NumberState
    until: datetime | None
    account_id: int | None
    test_detail: str
    at: datetime

    def free_for(self, account_id: int) -> bool:
        """Whether the account may buy it now. A provider's number must be reserved there, which
        holding it does."""
        if self.state is NumberState.HELD:
            return self.account_id == account_id
        return self.state is NumberState.AVAILABLE and not self.provider


@dataclass(frozen=True, slots=True)
class Buyer:
    """An account as one that buys: of whom, and how its people write numbers and days."""

    id: int
    parent_id: int | None
    code: str
    country: str
    timezone: str

    @property
    def sellers(self) -> list[int]:
        """Whose stock it buys of: its superior's, and, for nothing, its own."""
        return [self.id] if self.parent_id is None else [self.parent_id, self.id]

    @property
    def seller_id(self) -> int:
        """Who answers its wishes."""
        return self.id if self.parent_id is None else self.parent_id


async def get_buyer(connection: Any, account_id: int) -> Buyer:
    """Raises CallctlError("not_found")."""
    row = await connection.fetchrow(ACCOUNT, account_id)
    if row is None:
        raise CallctlError("not_found", f"there is no account {account_id}")
    return Buyer(**row)


def stock_number(row: Any) -> StockNumber:
    """From a row of `STOCK_COLUMNS`."""
    values = dict(row)
    state = NumberState(values["state"])
    now_state = state_at(state, values["until"], values["at"])
    if now_state is not state:
        values |= {"until": None, "account_id": None}
    values |= {
        "state": now_state,
        "type": NumberType(values["type"]),
        "capabilities": tuple(values["capabilities"]),
    }
    return StockNumber(**values)


async def lock_offered(connection: Any, number: str, sellers: Sequence[int]) -> StockNumber:
    """The number of these sellers' stock, locked. Raises CallctlError("not_found")."""
    row = await connection.fetchrow(NUMBER_BY_NAME, number, list(sellers))
    if row is None:
        raise not_for_sale(number)
    return stock_number(row)


def not_for_sale(number: str) -> CallctlError:
    return CallctlError("not_found", f"{number} is not for sale", "body.number")


def taken(number: str) -> CallctlError:
    """Whoever asks is not told by whom."""
    return CallctlError("conflict", f"{number} is not to be had now", "body.number")


async def lock_own(connection: Any, number_id: int, account_id: int) -> StockNumber:
    """The number that the account has, locked. Raises CallctlError("not_found")."""
    row = await connection.fetchrow(NUMBER_OF_ACCOUNT, number_id, account_id)
    found = stock_number(row) if row else None
    if found is None or found.account_id is None or found.state is NumberState.HELD:
        raise CallctlError("not_found", f"no number with the id {number_id}")
    return found


async def lock_number(connection: Any, number_id: int) -> StockNumber:
    return stock_number(await connection.fetchrow(NUMBER_BY_ID, number_id))


async def move(
    connection: Any,
    number: StockNumber,
    event: NumberEvent,
    *,
    account_id: int | None = None,
    until: datetime | None = None,
) -> NumberState:
    """Have `event` happen to a locked number: whose it is then, and until when. The new state.

    Raises CallctlError("conflict") when it cannot happen now.
    """
    state = next_state(number.state, event)
    if state is None:
        message = f"{number.number} is {number.state}: {event} does not go with it"
        raise CallctlError("conflict", message, detail={"state": number.state})
    await connection.execute(NUMBER_MOVE, number.id, state.value, account_id, until)
    return state


def offer_item(number: StockNumber, buyer: Buyer) -> OfferItem:
    """What it would cost `buyer` today; one's own stock costs nothing."""
    own = number.seller_id == buyer.id
    setup, monthly = (0, 0) if own else (number.setup_price, number.monthly_price)
    first = first_charge(setup, monthly, local_day(number.at, buyer.timezone))
    return OfferItem(
        number.number,
        number.country,
        number.area_code,
        number.area,
        number.type,
        list(number.capabilities),
        PriceView(setup, number.currency),
        PriceView(monthly, number.currency),
        PriceView(first.total, number.currency),
        first.days,
        number.provider or None,
        own,
    )


def stock_item(number: StockNumber) -> StockItem:
    return StockItem(
        number.id,
        number.number,
        number.state,
        number.until,
        number.account_id,
        number.country,
        number.area_code,
        number.area,
        number.type,
        list(number.capabilities),
        PriceView(number.setup_price, number.currency),
        PriceView(number.monthly_price, number.currency),
        number.provider or None,
    )
