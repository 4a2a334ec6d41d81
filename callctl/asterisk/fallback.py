"""The fallback dialplan: what Asterisk does with a call that callctl did not answer for in time.

``Gosub(callctl-fallback,s,1)`` reads CALLCTL_ENDPOINT, CALLCTL_DIALLED and CALLERID(num) and sets
CALLCTL_PLAN, in the daemon's own encoding, so the very same dialplan runs it; the variable stays
empty for what nobody knows. Every plan in here is the planner's own (`fallback_plans.py`).

What cannot be foreseen is left out, and docs/asterisk.md says so: strategies with memory keep the
configured order, transit from trunk to trunk is refused, and of several unrelated patterns that
match one caller the most specific decides.
"""

import re
from collections.abc import Iterator, Mapping

from callctl.asterisk.conf_text import Context, in_chunks, word
from callctl.asterisk.fallback_cheapest import (
    cheapest_blocks,
    context_of,
    keeps_number,
    orders_of,
)
from callctl.asterisk.fallback_inside import inside_blocks, inside_name
from callctl.asterisk.fallback_limits import ABROAD, is_limited, render_limits, render_world
from callctl.asterisk.fallback_numbers import dialling_plan, render_normaliser
from callctl.asterisk.fallback_plans import (
    WHY_MARK,
    CallerClass,
    FallbackPlanner,
    OutsidePlans,
    Tree,
    class_of,
    sample_caller,
)
from callctl.asterisk.fallback_schedule import context_name, render_schedule
from callctl.asterisk.fallback_text import (
    caller_test,
    context_block,
    ere,
    exists,
    leaf_lines,
    matches,
    set_plan,
    to_e164,
    tree_lines,
)
from callctl.core.routing.limits import DEFAULTS, Limits, settle
from callctl.core.routing.model import (
    AccountIndex,
    DialPattern,
    Did,
    Extension,
    OutboundRoute,
    RoutingTable,
    Trunk,
)
from callctl.core.routing.outbound import select_emergency
from callctl.core.routing.patterns import parse_pattern

_START = """\
[callctl-fallback]
exten => s,1,GotoIf($[${DIALPLAN_EXISTS(callctl-endpoint-${CALLCTL_ENDPOINT},s,1)} = 0]?none)
 same => n,Goto(callctl-endpoint-${CALLCTL_ENDPOINT},s,1)
 same => n(none),Return()

; Who calls, if the caller shows it.
[callctl-fb-caller]
exten => s,1,Set(CALLCTL_FB_CALLER=${FILTER(0-9*#+,${CALLERID(num)})})
 same => n,ExecIf($["${CALLERID(num-pres):0:6}" = "prohib"]?Set(CALLCTL_FB_CALLER=))
 same => n,ExecIf($["${CALLCTL_FB_CALLER}" != "${CALLERID(num)}"]?Set(CALLCTL_FB_CALLER=))
 same => n,Return()
"""


def render_fallback(table: RoutingTable, year: int, paid_seconds: Mapping[int, int]) -> str:
    """The text of the whole fallback dialplan. Pure. `paid_seconds`: how long calls to the outside
    of these accounts may last (0 = they are refused), since nobody counts their money."""
    accounts = [table.accounts[key] for key in sorted(table.accounts)]
    countries = sorted({index.account.country for index in accounts})
    blocks = [_START]
    blocks += [render_normaliser(dialling_plan(country)) for country in countries]
    if any(is_limited(limits) for index in accounts for limits in _all_limits(index)):
        blocks.append(render_world())
    planners = {
        index.account.id: FallbackPlanner(table, index, paid_seconds.get(index.account.id))
        for index in accounts
    }
    for index in accounts:
        blocks += in_chunks(_account_blocks(table, index, planners, year))
    return "\n".join(blocks)


def _account_blocks(
    table: RoutingTable, index: AccountIndex, planners: dict[int, FallbackPlanner], year: int
) -> Iterator[str]:
    account = index.account
    planner = planners[account.id]
    classes = {kind: number for number, kind in enumerate(_classes(index), 1)}
    for schedule in index.routing.schedules:
        yield render_schedule(account.id, schedule, account.timezone, year)
    for extension in index.routing.extensions:
        yield _extension_block(index, extension, classes[class_of(extension, account)])
    for trunk in index.routing.trunks:
        yield _trunk_block(index, trunk)
    if index.routing.trunks:
        yield from _inbound_blocks(table, index, planners)
    yield from inside_blocks(planner)
    yield _choice_block(index)
    yield from cheapest_blocks(index)
    for kind, number in classes.items():
        limits = _limits_of(index, kind)
        if kind.enabled and is_limited(limits):
            yield render_limits(_limit_name(account.id, number), limits, _off_hours(index, limits))
        yield _class_block(planner, index, kind, number, limits)


def _classes(index: AccountIndex) -> list[CallerClass]:
    return list(dict.fromkeys(class_of(e, index.account) for e in index.routing.extensions))


# Who dials


def _extension_block(index: AccountIndex, extension: Extension, kind: int) -> str:
    account = index.account
    return context_block(
        f"callctl-endpoint-{word(extension.endpoint, 'endpoint')}",
        f"exten => s,1,{to_e164(account, 'CALLCTL_DIALLED')}",
        " same => n,Set(CALLCTL_E164=${GOSUB_RETVAL})",
        f" same => n,Set(CALLCTL_FB_KEY={word(extension.number, 'extension')})",
        f" same => n,Goto(callctl-fb-{account.id}-by-{kind},s,1)",
    )


def _trunk_block(index: AccountIndex, trunk: Trunk) -> str:
    account = index.account
    dids = f"callctl-fb-{account.id}-dids"
    lines = [
        f"exten => s,1,{to_e164(account, 'CALLCTL_DIALLED')}",
        " same => n,Set(CALLCTL_E164=${GOSUB_RETVAL})",
        " same => n,Gosub(callctl-fb-caller,s,1)",
        f" same => n,{to_e164(account, 'CALLCTL_FB_CALLER')}",
        " same => n,Set(CALLCTL_FB_CALLER_E164=${GOSUB_RETVAL})",
    ]
    for number in ("${CALLCTL_E164}", "${CALLCTL_DIALLED}", "+${CALLCTL_DIALLED}"):
        lines.append(f" same => n,GotoIf({exists(dids, number)}?{dids},{number},1)")
    lines.append(" same => n,Return()")
    if trunk.max_channels is not None:
        lines.append(f"exten => limit,1,Return({trunk.max_channels})")
    return context_block(f"callctl-endpoint-{word(trunk.endpoint, 'endpoint')}", *lines)


# Calls that came in


def _inbound_blocks(
    table: RoutingTable, index: AccountIndex, planners: dict[int, FallbackPlanner]
) -> Iterator[str]:
    """DIDs that this account's trunks serve: its own, and those of the accounts below it."""
    account = index.account.id
    trunk = index.routing.trunks[0].name
    dids: list[tuple[Did, FallbackPlanner, str | None]] = []
    for owner in _served(table, account):
        planner = planners[owner.account.id]
        block = f"callctl-fb-{account}-block-{owner.account.id}"
        rules = planner.blocked(trunk, account)
        if rules:
            yield _block_rules(block, rules)
        dids += ((did, planner, block if rules else None) for did in owner.routing.dids)
    context = Context(f"callctl-fb-{account}-dids")
    for did, planner, rules_block in sorted(dids, key=lambda d: d[0].number, reverse=True):
        context.add(_did_lines(planner, trunk, account, did, rules_block))
    yield context.text()


def _served(table: RoutingTable, account: int) -> list[AccountIndex]:
    served = []
    for key in sorted(table.accounts):
        node: int | None = key
        seen: set[int] = set()
        while node is not None and node in table.accounts and node not in seen:
            if node == account:
                served.append(table.accounts[key])
                break
            seen.add(node)
            node = table.accounts[node].account.parent_id
    return served


def _block_rules(context: str, rules: list[tuple[str, str, str]]) -> str:
    """Returns with CALLCTL_PLAN set if a rule refuses the caller. The DID is put in here."""
    lines = ["exten => s,1,Set(CALLCTL_PLAN=)"]
    ends = []
    for number, (pattern, did, plan) in enumerate(rules, 1):
        lines.append(f" same => n,GotoIf({caller_test(pattern)}?r{number},1)")
        ends.append(f"exten => r{number},1,{set_plan(plan.replace(did, '${ARG1}'))}")
        ends.append(" same => n,Return()")
    return context_block(context, *lines, " same => n,Return()", *ends)


def _did_lines(
    planner: FallbackPlanner, trunk: str, account: int, did: Did, block: str | None
) -> list[str]:
    number = word(did.number, "DID")
    lines = [f"exten => {number},1,NoOp()"]
    if block:
        lines += [
            f" same => n,Gosub({block},s,1({number}))",
            " same => n,GotoIf($[${LEN(${CALLCTL_PLAN})} > 0]?out)",
        ]
    patterns = planner.caller_patterns(did)
    usual = planner.inbound(trunk, account, did, sample_caller("+99900000000", patterns))
    special = [
        (pattern, planner.inbound(trunk, account, did, sample_caller(pattern, patterns)))
        for pattern in patterns
    ]
    while special and special[-1][1] == usual:
        special.pop()
    others: list[tuple[str, Tree]] = []
    for at, (pattern, tree) in enumerate(special):
        others.append((f"{number}~{at}", tree))
        lines.append(f" same => n,GotoIf({caller_test(pattern)}?{number}~{at},1)")
    lines.append(f" same => n,Goto({number}~,1)")
    lines.append(" same => n(out),Return()")
    for name, tree in ((f"{number}~", usual), *others):
        lines += tree_lines(planner.account.id, name, tree)
    return lines


# Calls of extensions


def _choice_block(index: AccountIndex) -> str:
    """The outbound pattern that takes a number: its place, and how much is known of the number."""
    entries = [(parse_pattern(dial.match), place) for place, (_, dial) in enumerate(_dials(index))]
    lines = ["exten => s,1,Set(CALLCTL_FB_WAY=)"]
    ways = []
    for pattern, place in sorted(entries, key=lambda entry: (entry[0].rank, entry[1])):
        test = ere(pattern.text)
        lines += [
            f" same => n,GotoIf({matches(test, 'CALLCTL_DIALLED')}?d{place},1)",
            f" same => n,GotoIf({matches(test, 'CALLCTL_E164')}?e{place},1)",
        ]
        ways += [
            f"exten => d{place},1,Return(${{IF($[${{LEN(${{CALLCTL_E164}})}} > 0]?b:d)}}{place})",
            f"exten => e{place},1,Return(e{place})",
        ]
    return context_block(
        f"callctl-fb-{index.account.id}-ways", *lines, " same => n,Return()", *ways
    )


def _dials(index: AccountIndex) -> list[tuple[OutboundRoute, DialPattern]]:
    """All outbound patterns, in order; a pattern's place names it in the dialplan."""
    return [(route, dial) for route in index.routing.outbound for dial in route.patterns]


def _all_limits(index: AccountIndex) -> Iterator[Limits]:
    yield index.limits
    yield from index.extension_limits.values()


def _limits_of(index: AccountIndex, kind: CallerClass) -> Limits:
    if kind.limits is None:
        return index.limits
    return settle(index.account.country, DEFAULTS, index.routing.limits, kind.limits)


def _limit_name(account: int, number: int) -> str:
    return f"callctl-fb-{account}-limit-{number}"


def _off_hours(index: AccountIndex, limits: Limits) -> str | None:
    """The context of the schedule that the limits keep."""
    hours = limits.off_hours
    if hours is None or hours.schedule not in index.schedules:
        return None
    return context_name(index.account.id, hours.schedule)


def _class_block(
    planner: FallbackPlanner, index: AccountIndex, kind: CallerClass, number: int, limits: Limits
) -> str:
    """What extensions of one class may dial: emergency, inside, outside, in this order."""
    account = index.account.id
    here = f"callctl-fb-{account}-by-{number}"
    own, common = inside_name(account, kind.record), inside_name(account, None)
    lines = [f"exten => s,1,GotoIf({exists(here, 'x${CALLCTL_DIALLED}')}?x${{CALLCTL_DIALLED}},1)"]
    if kind.enabled:
        for dialled in ("${CALLCTL_DIALLED}", "${CALLCTL_E164}"):
            by_caller = f"{dialled}~${{CALLCTL_FB_KEY}}"
            for place, exten in ((own, by_caller), (own, dialled), (common, dialled)):
                lines.append(f" same => n,GotoIf({exists(place, exten)}?{place},{exten},1)")
        lines += [
            f" same => n,Gosub(callctl-fb-{account}-ways,s,1)",
            f" same => n,GotoIf({exists(here, 'w${GOSUB_RETVAL}')}?w${{GOSUB_RETVAL}},1)",
            " same => n,Return()",
        ]
    else:
        lines += [" same => n," + set_plan(planner.refused(kind)), " same => n,Return()"]
    for dialled in _emergency_spellings(index):
        lines += leaf_lines(f"x{dialled}", planner.emergency(dialled, kind))
    if kind.enabled:
        for way, (route, dial) in enumerate(_dials(index)):
            for form in "dbe":
                lines += _way_lines(planner, index, kind, number, f"{form}{way}", route, dial)
    return context_block(here, *lines)


def _way_lines(
    planner: FallbackPlanner,
    index: AccountIndex,
    kind: CallerClass,
    number: int,
    way: str,
    route: OutboundRoute,
    dial: DialPattern,
) -> list[str]:
    """What becomes of a number that came by `way` (`_choice_block`), by each order of the trunks
    that its first digits may call for."""
    account, limits, form = index.account.id, _limits_of(index, kind), way[0]
    orders = orders_of(index, route) if keeps_number(dial, form) else ()
    lines: list[str] = []
    for place, order in enumerate((None, *orders)):
        plans = planner.outside(kind, route, dial, form, limits.max_seconds_abroad, order)
        if plans is None:
            return []
        name = f"w{way}k{place}" if orders else f"w{way}"
        if is_limited(limits) and plans.refused != plans.home:
            source = "CALLCTL_E164" if form == "e" else "CALLCTL_DIALLED"
            lines += _limited_lines(name, _limit_name(account, number), source, dial, plans)
        else:
            lines += leaf_lines(name, plans.home)
    if orders:
        cheapest = context_of(account, index.routing.outbound.index(route))
        lines += [
            f"exten => w{way},1,Gosub({cheapest},s,1)",
            f" same => n,Goto(w{way}k${{GOSUB_RETVAL}},1)",
        ]
    return lines


def _limited_lines(
    name: str, limit: str, source: str, dial: DialPattern, plans: OutsidePlans
) -> list[str]:
    """Asks whether the number may be dialled, and sets the plan for the answer."""
    bare = f"${{{source}:{dial.strip}}}" if dial.strip else f"${{{source}}}"
    refused = plans.refused.replace(WHY_MARK, "${GOSUB_RETVAL}")
    return [
        f"exten => {name},1,Gosub({limit},s,1({dial.prepend}{bare},{bare}))",
        " same => n,GotoIf($[${LEN(${GOSUB_RETVAL})} = 0]?home)",
        f' same => n,GotoIf($["${{GOSUB_RETVAL}}" = "{ABROAD}"]?abroad)',
        f" same => n,{set_plan(refused)}",
        " same => n,Return()",
        f" same => n(abroad),{set_plan(plans.abroad)}",
        " same => n,Return()",
        f" same => n(home),{set_plan(plans.home)}",
        " same => n,Return()",
    ]


def _emergency_spellings(index: AccountIndex) -> list[str]:
    """All that `select_emergency` takes: with a plus, and behind an outbound prefix."""
    found: dict[str, None] = {}
    for emergency in index.routing.emergency:
        candidates = [emergency.number, f"+{emergency.number}"]
        for route in index.routing.outbound:
            for dial in route.patterns:
                prefix = dial.match.removeprefix("_")[: dial.strip]
                rest = emergency.number.removeprefix(dial.prepend)
                candidates.append(prefix + rest)
        for candidate in candidates:
            if re.fullmatch(r"[0-9*#+]+", candidate) and select_emergency(index, candidate):
                found[candidate] = None
    return list(found)
