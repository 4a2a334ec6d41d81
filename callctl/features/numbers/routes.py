"""What is needed of the routing: DIDs that come and go in the same transaction as their numbers."""

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from callctl.core.author import Author


class RoutingChange(Protocol):
    """The transaction that the routing is changed in. Not `wanted`: it stays as it is."""

    connection: Any
    wanted: bool


class Routes(Protocol):
    """Each change raises CallctlError: ``invalid_routing``, ``broken_expectation``,
    ``already_exists``, ``revision_conflict``; then nothing else of its block is kept either."""

    def add(
        self, account_id: int, number: str, to: str, label: str, author: Author
    ) -> AbstractAsyncContextManager[RoutingChange]: ...

    def remove(
        self, account_id: int, number: str, author: Author, *, at_all_costs: bool = False
    ) -> AbstractAsyncContextManager[RoutingChange]: ...

    def set_default(
        self, account_id: int, number: str | None, author: Author
    ) -> AbstractAsyncContextManager[RoutingChange]: ...

    def default_of(self, account_id: int) -> str | None: ...
