"""Whoever stands behind numbers that are not of the stock: a carrier or a wholesaler.

The stock itself is the built-in provider: its numbers are there already, so that nothing is asked
of anybody. Those of others come into the stock when they are reserved; the stock's row then says
whose the number is, of whichever provider it came.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import asyncpg

from callctl.core.errors import CallctlError
from callctl.core.numbers.kinds import NumberType
from callctl.core.numbers.states import NumberState
from callctl.db.pool import Database
from callctl.features.numbers import store
from callctl.features.numbers.model import OfferFilters, OfferItem
from callctl.http.endpoint import Page
from callctl.numbers import facts_of


@dataclass(frozen=True, slots=True)
class ProviderOffer:
    """A number that a provider has; prices in the smallest unit of `currency`."""

    number: str
    area: str
    capabilities: tuple[str, ...]
    currency: str
    setup: int
    monthly: int
    type: NumberType | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for; `pattern` as the API takes it."""

    country: str | None
    area: str | None
    type: str | None
    capability: str | None
    pattern: str | None
    limit: int


class ProviderRefused(Exception):
    """The provider said no, and will say no again."""


class ProviderUnclear(Exception):
    """No answer that can be gone by: the same order, under the same key, must be sent again."""


class NumberProvider(Protocol):
    """Each order has a `key`: sent again, it is the same order.

    All but `search` raise ProviderRefused and ProviderUnclear; `search` the latter only.
    """

    async def search(self, wish: Wish) -> Sequence[ProviderOffer]: ...

    async def reserve(self, number: str, seconds: int, key: str) -> ProviderOffer: ...

    async def buy(self, number: str, key: str) -> str:
        """The provider's own name of the number, for `release`."""
        ...

    async def release(self, number: str, reference: str, key: str) -> None: ...


_OPERATOR = "select id from accounts where parent_id is null order by id limit 1"

ADOPT = """
insert into stock_numbers (seller_id, number, provider, country, area_code, area, type,
                           capabilities, currency, setup_price, monthly_price)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict (number) do update
set seller_id = $1, provider = $3, provider_ref = '', country = $4, area_code = $5, area = $6,
    type = $7, capabilities = $8, currency = $9, setup_price = $10, monthly_price = $11,
    state = 'available', until = null, account_id = null, test_detail = '', changed_at = now()
where stock_numbers.provider = $3
  and (stock_numbers.state in ('available', 'withdrawn')
       or (stock_numbers.state = 'held' and stock_numbers.until <= now()))
returning id
"""


class Providers:
    """Those that are set up, by name. Their numbers are sold by the operator, who has the
    contract with them."""

    def __init__(self, providers: Mapping[str, NumberProvider]) -> None:
        self._providers = providers

    def get(self, name: str, field: str = "body.provider") -> NumberProvider:
        """Raises CallctlError("invalid_field")."""
        found = self._providers.get(name)
        if found is None:
            raise CallctlError("invalid_field", f"there is no provider {name}", field)
        return found

    async def search(
        self, db: Database, buyer: store.Buyer, filters: OfferFilters
    ) -> Page[OfferItem]:
        """One page: the best that the provider has. Raises CallctlError: `invalid_field`,
        `provider_unavailable`."""
        provider = self.get(filters.provider or "", "query.provider")
        seller_id = await self._seller(db, buyer, "query.provider")
        wish = Wish(
            filters.country, filters.area, filters.type, filters.capability, filters.pattern,
            filters.limit,
        )  # fmt: skip
        try:
            offers = await provider.search(wish)
        except ProviderUnclear as error:
            raise _unavailable(error) from None
        now = await db.fetchval("select now()")
        found = [
            store.offer_item(row, buyer)
            for offer in offers
            if (row := _row(offer, filters.provider or "", seller_id, now)) is not None
        ]
        return Page(found[: filters.limit], None)

    async def reserve(
        self, db: Database, buyer: store.Buyer, name: str, number: str, minutes: int
    ) -> None:
        """Reserve it at the provider and put it into the operator's stock.

        A hold that is not made afterwards ends at the provider by itself. Raises CallctlError:
        `invalid_field`, `not_found`, `conflict`, `provider_unavailable`.
        """
        provider = self.get(name)
        seller_id = await self._seller(db, buyer, "body.provider")
        # One more minute than ours, so that what is bought in the last moment is still there.
        try:
            offer = await provider.reserve(number, (minutes + 1) * 60, secrets.token_hex(16))
        except ProviderRefused as error:
            raise CallctlError("not_found", f"{number}: {error}", "body.number") from None
        except ProviderUnclear as error:
            raise _unavailable(error) from None
        row = _row(offer, name, seller_id, await db.fetchval("select now()"))
        if row is None or row.number != number:
            raise CallctlError("provider_unavailable", f"the provider's {offer.number} is none")
        try:
            adopted = await db.fetchval(
                ADOPT, seller_id, number, name, row.country, row.area_code, row.area,
                row.type.value, list(row.capabilities), row.currency, row.setup_price,
                row.monthly_price,
            )  # fmt: skip
        except asyncpg.CheckViolationError:
            raise CallctlError("provider_unavailable", "the provider's offer is none") from None
        if adopted is None:
            raise CallctlError("conflict", f"{number} is taken", "body.number")

    async def _seller(self, db: Database, buyer: store.Buyer, field: str) -> int:
        operator: int = await db.fetchval(_OPERATOR)
        if operator not in buyer.sellers:
            message = "providers' numbers are the operator's to sell: ask your own seller"
            raise CallctlError("invalid_field", message, field)
        return operator


def _row(offer: ProviderOffer, provider: str, seller_id: int, now: Any) -> store.StockNumber | None:
    """As a number of the stock; None for what can be no number."""
    facts = facts_of(offer.number)
    if facts is None:
        return None
    return store.StockNumber(
        id=0,
        number=offer.number,
        seller_id=seller_id,
        provider=provider,
        provider_ref="",
        country=facts.country,
        area_code=facts.area_code,
        area=offer.area,
        type=offer.type or facts.type,
        capabilities=offer.capabilities,
        currency=offer.currency,
        setup_price=offer.setup,
        monthly_price=offer.monthly,
        state=NumberState.AVAILABLE,
        until=None,
        account_id=None,
        test_detail="",
        at=now,
    )


def _unavailable(error: Exception) -> CallctlError:
    return CallctlError("provider_unavailable", f"the numbers' provider: {error}")
