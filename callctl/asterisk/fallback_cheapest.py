"""The cheapest trunk first, in the dialplan: by the first digits of a number, as the daemon has it.

The orders themselves are worked out from the carriers' tariffs (`callctl.core.money.least_cost`)
and written down here: the fallback knows no price.
"""

from collections.abc import Iterator, Mapping

from callctl.asterisk.conf_text import last_first
from callctl.core.routing.model import AccountIndex, DialPattern, OutboundRoute, TrunkOrder

Order = tuple[str, ...]


def orders_of(index: AccountIndex, route: OutboundRoute) -> tuple[Order, ...]:
    """All orders in which a route tries its trunks by price, besides the one that is listed."""
    if route.order is not TrunkOrder.CHEAPEST:
        return ()
    found = index.routing.trunk_orders.get(route.name, {}).values()
    return tuple(dict.fromkeys(order for order in found if order != route.trunks))


def keeps_number(dial: DialPattern, form: str) -> bool:
    """Whether the number's E.164 form is known where the trunks are chosen: `form` as in
    `FallbackPlanner.outside`."""
    return form in "be" and not dial.strip and not dial.prepend


def context_of(account: int, place: int) -> str:
    """``Gosub(…,s,1)`` returns the place of the number's order in `orders_of`, from 1 on; 0 is the
    one listed. `place` is the route's."""
    return f"callctl-fb-{account}-cheapest-{place}"


def cheapest_blocks(index: AccountIndex) -> Iterator[str]:
    """A context for each route that may try its trunks in more than one order."""
    for place, route in enumerate(index.routing.outbound):
        orders = orders_of(index, route)
        if orders:
            prefixes = index.routing.trunk_orders[route.name]
            yield _block(context_of(index.account.id, place), prefixes, orders)


def _block(name: str, prefixes: Mapping[str, Order], orders: tuple[Order, ...]) -> str:
    """Asks whether it has the number's first digits, ever fewer of them."""
    places = {order: place for place, order in enumerate(orders, 1)}
    digits = "p${CALLCTL_E164:1:${n}}"
    lines = [
        f"exten => s,1,Set(LOCAL(n)={max(map(len, prefixes))})",
        " same => n(next),GotoIf($[${n} = 0]?none)",
        f" same => n,GotoIf($[${{DIALPLAN_EXISTS({name},{digits},1)}}]?{digits},1)",
        " same => n,Set(LOCAL(n)=$[${n} - 1])",
        " same => n,Goto(next)",
        f" same => n(none),Return({places.get(prefixes.get('', ()), 0)})",
    ]
    lines += [
        f"exten => p{prefix},1,Return({places.get(order, 0)})"
        for prefix, order in prefixes.items()
        if prefix
    ]
    return "\n".join([f"[{name}]", *last_first(lines), ""])
