"""Pieces of the fallback dialplan's text: contexts, tests, and what sets a plan."""

from callctl.asterisk.conf_text import Context
from callctl.asterisk.fallback_plans import Branch, Leaf, Tree
from callctl.asterisk.fallback_schedule import context_name
from callctl.core.routing.model import Account
from callctl.core.routing.patterns import parse_pattern


def to_e164(account: Account, variable: str) -> str:
    """Leaves the variable's number in E.164, or nothing, in GOSUB_RETVAL."""
    return f"Gosub(callctl-e164-{account.country},s,1(${{{variable}}}))"


def context_block(name: str, *lines: str) -> str:
    context = Context(name)
    context.add(lines)
    return context.text()


def tree_lines(account: int, name: str, tree: Tree) -> list[str]:
    """Extension `name` that asks the schedules of `tree` and sets the plan."""
    if isinstance(tree, Leaf):
        return leaf_lines(name, tree.plan)
    assert isinstance(tree, Branch)
    return [
        f"exten => {name},1,Gosub({context_name(account, tree.schedule)},s,1)",
        f' same => n,GotoIf($["${{GOSUB_RETVAL}}" = "1"]?{name}o,1:{name}c,1)',
        *tree_lines(account, f"{name}o", tree.when_open),
        *tree_lines(account, f"{name}c", tree.when_closed),
    ]


def leaf_lines(name: str, plan: str) -> list[str]:
    return [f"exten => {name},1,{set_plan(plan)}", " same => n,Return()"]


def set_plan(plan: str) -> str:
    return f"Set(CALLCTL_PLAN={plan})"


def exists(context: str, exten: str) -> str:
    return f"$[${{DIALPLAN_EXISTS({context},{exten},1)}}]"


def matches(test: str, variable: str) -> str:
    return f'$[${{REGEX("{test}" ${{{variable}}})}}]'


def caller_test(pattern: str) -> str:
    """An expression: does the caller match, as it came or in E.164?"""
    if pattern == "withheld":
        return "$[${LEN(${CALLCTL_FB_CALLER})} = 0]"
    test = ere(pattern)
    parts = [
        f'${{REGEX("{test}" ${{{name}}})}}'
        for name in ("CALLCTL_FB_CALLER", "CALLCTL_FB_CALLER_E164")
    ]
    return f"$[{' | '.join(parts)}]"


def ere(pattern: str) -> str:
    """A number pattern as a POSIX extended regular expression of the whole number."""
    regex = parse_pattern(pattern).regex.pattern
    made: list[str] = []
    in_set = False
    at = 0
    while at < len(regex):
        char = regex[at]
        if char == "\\":
            at += 1
            made.append(regex[at] if in_set else f"[{regex[at]}]")
        else:
            in_set = char == "[" or (in_set and char != "]")
            made.append(char)
        at += 1
    return f"^{''.join(made)}$"
