"""Numbers for sale and sold, put together with the routing that they come into."""

from dataclasses import dataclass

from callctl.asterisk.ami import AmiClient
from callctl.config import Settings
from callctl.core.routing.model import RoutingTable
from callctl.db.pool import Database
from callctl.features.numbers.api import number_endpoints, offer_endpoints, stock_endpoints
from callctl.features.numbers.billing import BillingService
from callctl.features.numbers.buying import NumberService
from callctl.features.numbers.http_provider import HttpProvider
from callctl.features.numbers.offers import OfferService
from callctl.features.numbers.ordering import OrderingService
from callctl.features.numbers.providers import NumberProvider, Providers
from callctl.features.numbers.proving import ProvingService
from callctl.features.numbers.request_api import request_endpoints
from callctl.features.numbers.requests import RequestService
from callctl.features.numbers.stock import StockService
from callctl.features.routing.numbers import RoutingNumbers
from callctl.features.routing.service import RoutingService
from callctl.http.endpoint import Endpoint

HTTP_PROVIDER = "http"
"""The name of the provider that the settings describe."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """All services of `callctl.features.numbers`."""

    own: NumberService
    offers: OfferService
    stock: StockService
    requests: RequestService
    proving: ProvingService
    billing: BillingService
    ordering: OrderingService
    provider: HttpProvider | None

    def endpoints(self) -> list[Endpoint]:
        return [
            *number_endpoints(self.own, self.proving),
            *offer_endpoints(self.offers),
            *stock_endpoints(self.stock),
            *request_endpoints(self.requests),
        ]

    async def close(self) -> None:
        if self.provider is not None:
            await self.provider.close()


def build_numbers(
    settings: Settings, db: Database, ami: AmiClient, routing: RoutingService
) -> Numbers:
    routes = RoutingNumbers(routing)
    url, days = settings.number_provider_url, settings.number_quarantine_days
    provider = HttpProvider(url, settings.number_provider_token) if url else None
    known: dict[str, NumberProvider] = {HTTP_PROVIDER: provider} if provider else {}
    providers = Providers(known)
    ordering = OrderingService(db, routes, providers)
    own = NumberService(db, routes, quarantine_days=days, wake=ordering.wake)
    return Numbers(
        own,
        OfferService(db, providers),
        StockService(db, lambda number: number in routing.table.did_accounts),
        RequestService(db, own),
        ProvingService(
            db,
            ami,
            lambda account_id: find_trunk(routing.table, account_id),
            own.get_number,
            ring_seconds=settings.number_test_seconds,
        ),
        BillingService(db, routes, grace_days=settings.number_grace_days, quarantine_days=days),
        ordering,
        provider,
    )


def find_trunk(table: RoutingTable, account_id: int) -> str | None:
    """The endpoint of a trunk whose calls reach the account's numbers: its own, else of the nearest
    account above it."""
    seen: set[int] = set()
    node: int | None = account_id
    while node is not None and node not in seen and node in table.accounts:
        seen.add(node)
        index = table.accounts[node]
        for trunk in index.routing.trunks:
            if trunk.enabled:
                return trunk.endpoint
        node = index.account.parent_id
    return None
