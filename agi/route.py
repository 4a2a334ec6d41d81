"""``AGI(agi://host/route,<dialled>)``: where does this call go?

One plan, decided once, in one channel variable; the dialplan does the rest.
"""

from collections.abc import Callable

from callctl.asterisk.fastagi import AgiCall, SetVariable, Verb

PLAN_VARIABLE = "CALLCTL_PLAN"
"""Its presence is the only proof that the daemon has decided: AGISTATUS proves nothing."""

PLAN_END = "!."
"""What a plan ends with on the wire. Asterisk obeys a line that is torn by the connection's end,
and half a plan would ring half of the phones."""


def route_verb(decide: Callable[[AgiCall], str]) -> Verb:
    """The verb, given what decides. `decide` returns the encoded plan and waits for nothing."""

    def route(call: AgiCall) -> SetVariable:
        return SetVariable(PLAN_VARIABLE, decide(call) + PLAN_END)

    return route
