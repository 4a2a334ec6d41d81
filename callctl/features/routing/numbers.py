"""Numbers that come and go: their DIDs in an account's routing, changed together with whatever
gives them to the account or takes them from it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

from msgspec.structs import replace

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.features.routing import structs
from callctl.features.routing.service import RoutingChange, RoutingService

D = TypeVar("D", bound=structs.Doc)

_NOWHERE = "hangup:unallocated"
"""Where a DID leads whose only destination has gone."""


class RoutingNumbers:
    """What changes something is a transaction of `RoutingService.changing`."""

    def __init__(self, routing: RoutingService) -> None:
        self._routing = routing

    def add(
        self, account_id: int, number: str, to: str, label: str, author: Author
    ) -> AbstractAsyncContextManager[RoutingChange]:
        """Route `number` to `to`; it is the account's default number if there was none."""
        return self._routing.changing(
            account_id, lambda document: with_number(document, number, to, label), author
        )

    @asynccontextmanager
    async def remove(
        self, account_id: int, number: str, author: Author, *, at_all_costs: bool = False
    ) -> AsyncIterator[RoutingChange]:
        """Take `number` out of everything that refers to it. `at_all_costs`: expectations that
        would not hold go, too; else they refuse it."""
        broken: frozenset[str] = frozenset()
        if at_all_costs:
            broken = self._broken_without(account_id, number)
        async with self._routing.changing(
            account_id, lambda document: without_number(document, number, broken), author
        ) as change:
            yield change

    def set_default(
        self, account_id: int, number: str | None, author: Author
    ) -> AbstractAsyncContextManager[RoutingChange]:
        return self._routing.changing(
            account_id, lambda document: with_default(document, number), author
        )

    def default_of(self, account_id: int) -> str | None:
        """The account's default number, None if it has none."""
        index = self._routing.table.accounts.get(account_id)
        return index.routing.caller_id_number if index else None

    def _broken_without(self, account_id: int, number: str) -> frozenset[str]:
        document = without_number(self._routing.export(account_id), number)
        try:
            self._routing.diff(account_id, document)
        except CallctlError as error:
            if error.code == "broken_expectation":
                return frozenset(str(entry["name"]) for entry in error.detail)
            raise
        return frozenset()


def with_number(document: structs.Document, number: str, to: str, label: str) -> structs.Document:
    """A DID that is there keeps all but its destination and label."""
    known = next((d for d in document.dids if d.number == number), structs.DidDoc(number, [to]))
    did = replace(known, to=[to], label=label or known.label)
    dids = [d for d in document.dids if d.number != number]
    changed = replace(document, dids=[*dids, did])
    return changed if document.account.caller_id_number else with_default(changed, number)


def with_default(document: structs.Document, number: str | None) -> structs.Document:
    return replace(document, account=replace(document.account, caller_id_number=number))


def without_number(
    document: structs.Document, number: str, without: frozenset[str] = frozenset()
) -> structs.Document:
    """`document` in which nothing refers to `number`: no DID, destination or caller ID; and
    without the expectations of those names, and those that call it."""
    dids = [_without(d, number) for d in document.dids if d.number != number]
    return replace(
        document,
        account=_without(document.account, number),
        extensions=[_without(e, number) for e in document.extensions],
        trunks=[_without(t, number) for t in document.trunks],
        dids=[d if d.to else replace(d, to=[_NOWHERE]) for d in dids],
        hunt_groups=[_without(g, number) for g in document.hunt_groups],
        outbound=[_without(r, number) for r in document.outbound],
        emergency=[_without(e, number) for e in document.emergency],
        expectations=[e for e in document.expectations if e.to != number and e.name not in without],
    )


def _without(doc: D, number: str) -> D:
    """`doc` with neither a destination nor a caller ID that is `number`."""
    changed: dict[str, Any] = {}
    for name in doc.__struct_fields__:
        value = getattr(doc, name)
        if name == "caller_id_number" and value == number:
            changed[name] = None
        elif name == "callers":
            rules = [_without(rule, number) for rule in value]
            changed[name] = [rule for rule in rules if rule.to]
        elif isinstance(value, list):
            changed[name] = [item for item in value if item != f"did:{number}"]
    return replace(doc, **changed)
