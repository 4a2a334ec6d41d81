"""What extensions reach inside: extensions, hunt groups and own DIDs, in the fallback dialplan."""

import re
from collections.abc import Iterator
from hashlib import blake2b

from callctl.asterisk.conf_text import Context, word
from callctl.asterisk.fallback_plans import CallerRecord, FallbackPlanner, Leaf, Tree, record_of
from callctl.asterisk.fallback_text import tree_lines
from callctl.core.routing.model import AccountRouting


def inside_blocks(planner: FallbackPlanner) -> Iterator[str]:
    """What an extension reaches inside: one context for all, and for each recording rule of the
    caller one with what differs by it, or by the caller itself (``dialled~caller``)."""
    account = planner.account.id
    records = {e.number: record_of(e) for e in planner.routing.extensions}
    contexts: dict[CallerRecord | None, Context] = {
        record: Context(inside_name(account, record))
        for record in dict.fromkeys([None, *records.values()])
    }
    for dialled, e164 in sorted(_inside_targets(planner.routing).items(), reverse=True):
        lines: dict[CallerRecord | None, list[str]] = {record: [] for record in contexts}
        name = word(dialled, "number")
        usual = {r: planner.inside(dialled, e164, r) for r in dict.fromkeys(records.values())}
        if len(set(usual.values())) == 1:
            lines[None] += tree_lines(account, name, next(iter(usual.values())))
        else:
            for record, tree in usual.items():
                lines[record] += tree_lines(account, name, tree)
        # Whom the plan speaks of may itself be the caller, and is not rung then.
        spoken_of = frozenset().union(*map(_subjects, usual.values()))
        for caller in sorted(spoken_of & records.keys()):
            tree = planner.inside_by(caller, dialled, e164)
            if tree != usual[records[caller]]:
                lines[records[caller]] += tree_lines(account, f"{name}~{caller}", tree)
        for kind, found in lines.items():
            contexts[kind].add(found)
    for context in contexts.values():
        yield context.text()


def _inside_targets(routing: AccountRouting) -> dict[str, str | None]:
    """What extensions may reach inside, as dialled, with its E.164 form; the first come counts."""
    targets: dict[str, str | None] = {e.number: None for e in routing.extensions}
    for group in routing.hunt_groups:
        if group.number:
            targets.setdefault(group.number, None)
    return {did.number: did.number for did in routing.dids} | targets


def inside_name(account: int, record: CallerRecord | None) -> str:
    if record is None:
        return f"callctl-fb-{account}-inside-all"
    policy, sound = record
    heard = f"-{blake2b(sound.encode(), digest_size=4).hexdigest()}" if sound else ""
    return f"callctl-fb-{account}-inside-{policy.value}{heard}"


def _subjects(tree: Tree) -> frozenset[str]:
    if isinstance(tree, Leaf):
        return tree.subjects | set(re.findall(r"[0-9*#]+", tree.plan))
    return _subjects(tree.when_open) | _subjects(tree.when_closed)
