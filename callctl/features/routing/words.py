"""Plans and diffs for people: what the command line and the console show."""

from typing import Any

from callctl.core.routing.expectations import plan_words
from callctl.core.routing.plan import RoutePlan
from callctl.core.routing.reasons import render_reason
from callctl.features.routing.objects import Change


def format_plan(plan: RoutePlan) -> str:
    """The steps, numbered, then why; several lines."""
    lines = [f"{plan.direction} call, decided by {plan.route}"]
    lines += [f"  {n}. {words}" for n, words in enumerate(plan_words(plan), start=1)]
    if plan.max_seconds is not None:
        lines.append(f"  talk time at most {plan.max_seconds} s")
    if plan.trace:
        lines.append("because")
        lines += [f"  - {render_reason(reason)}" for reason in plan.trace]
    return "\n".join(lines)


_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def format_diff(changes: list[Change]) -> str:
    """One line per object and, where it changed, per field; ``no changes`` if there are none."""
    if not changes:
        return "no changes"
    lines = []
    for change in changes:
        lines.append(f"{_SIGNS[change.action]} {change.kind} {change.name}".rstrip())
        for field in change.fields:
            if change.action == "changed":
                before, after = _value(field.before), _value(field.after)
                lines.append(f"    {field.field}: {before} -> {after}")
            elif change.action == "added":
                lines.append(f"    {field.field}: {_value(field.after)}")
    return "\n".join(lines)


def _value(value: Any) -> str:
    match value:
        case None:
            return "(default)"
        case bool():
            return "yes" if value else "no"
        case list():
            return "[" + ", ".join(_value(item) for item in value) + "]"
        case dict():
            return "{" + ", ".join(f"{k}: {_value(v)}" for k, v in value.items()) + "}"
        case _:
            return str(value)
