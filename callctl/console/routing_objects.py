"""Routing objects between a form and a document: what each kind's form asks, and what it makes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import yaml

from callctl.console.forms import Form
from callctl.console.language import N_
from callctl.console.week import DAYS, weekly_lines
from callctl.core.errors import CallctlError
from callctl.features.routing.objects import KIND_OF_FIELD
from callctl.features.routing.source import SourceError, read_yaml

_MOST_TEXT = 100_000
"""Characters of an object that is written as text."""


@dataclass(frozen=True, slots=True)
class ObjectKind:
    """`field` is the document's word, `key` what names one; `form` the template of its form,
    None: it is written as text."""

    field: str
    key: str
    title: str
    one: str
    icon: str
    form: str | None = None


KINDS: Mapping[str, ObjectKind] = {
    kind.field: kind
    for kind in (
        ObjectKind("dids", "number", N_("Numbers"), N_("number"), "hash", "did"),
        ObjectKind(
            "hunt_groups", "name", N_("Groups"), N_("hunt group"), "list-ordered", "hunt_group"
        ),
        ObjectKind(
            "extensions", "number", N_("Extensions"), N_("extension"), "smartphone", "extension"
        ),
        ObjectKind(
            "schedules", "name", N_("Schedules"), N_("schedule"), "calendar-clock", "schedule"
        ),
        ObjectKind("blocklist", "match", N_("Blocklist"), N_("rule"), "shield-ban", "block"),
        ObjectKind("outbound", "name", N_("Outbound"), N_("route"), "phone-outgoing"),
        ObjectKind("trunks", "name", N_("Trunks"), N_("trunk"), "network"),
        ObjectKind("emergency", "number", N_("Emergency"), N_("number"), "life-buoy"),
        ObjectKind("expectations", "name", N_("Expectations"), N_("expectation"), "circle-check"),
    )
}


class Fields(dict[str, Any]):
    """An object's fields for a template: what is not set is None, also in the objects within."""

    def __missing__(self, name: str) -> None:
        return None


def fields_of(one: Mapping[str, Any]) -> Fields:
    return Fields({name: _within(value) for name, value in one.items()})


def _within(value: Any) -> Any:
    if isinstance(value, dict):
        return fields_of(value)
    return [_within(item) for item in value] if isinstance(value, list) else value


def kind_of(field: str) -> ObjectKind:
    """Raises CallctlError("not_found")."""
    try:
        return KINDS[field]
    except KeyError:
        raise CallctlError("not_found", "there is no such kind of routing object") from None


def as_text(one: Any) -> str:
    """An object as YAML, as routing documents write it."""
    text: str = yaml.safe_dump(one, sort_keys=False, allow_unicode=True)
    return text


def object_of(kind: ObjectKind, form: Form, before: Mapping[str, Any]) -> dict[str, Any]:
    """What a form says over what there was; fields that it does not show stay.

    Raises CallctlError("invalid_field").
    """
    if kind.form is None:
        return _of_text(form.get("text", ""))
    made = {**before, **_MAKERS[kind.field](form)}
    return {name: value for name, value in made.items() if value is not None}


def made_upon(
    kind: ObjectKind,
    one: Mapping[str, Any],
    base: Mapping[str, Any],
    present: Mapping[str, Any],
) -> dict[str, Any]:
    """`one`, which was made of `base`, made again of `present`: what it left as it was is as
    somebody else has it by now.

    A form sends fields that a document leaves out, so what is another is seen with the defaults
    filled in. Raises CallctlError("invalid_field").
    """
    struct = KIND_OF_FIELD[kind.field].struct
    try:
        ours, before = msgspec.convert(one, struct), msgspec.convert(base, struct)
    except msgspec.ValidationError as error:
        raise CallctlError("invalid_field", str(error), "object") from None
    made = dict(present)
    for field in msgspec.structs.fields(struct):
        if getattr(ours, field.name) != getattr(before, field.name):
            name = field.encode_name
            made.pop(name, None)
            made |= {name: one[name]} if name in one else {}
    return made


def _of_text(text: str) -> dict[str, Any]:
    if len(text) > _MOST_TEXT:
        raise CallctlError("invalid_field", f"is too long: {_MOST_TEXT} at most", "text")
    try:
        # Refuses what would take all the memory or time there is: aliases of aliases, great depth.
        read_yaml(text)
        value = yaml.load(text, Loader=yaml.CSafeLoader)
    except SourceError as error:
        place = f"line {error.line}: " if error.line else ""
        raise CallctlError("invalid_field", f"{place}{error.message}", "text") from None
    except (yaml.YAMLError, ValueError) as error:
        # A date as 2026-13-01, a number of thousands of digits.
        raise CallctlError("invalid_field", f"this is not YAML: {error}", "text") from None
    if not isinstance(value, dict):
        raise CallctlError("invalid_field", "write fields, as name: value", "text")
    return {str(name): item for name, item in value.items()}


def _did(form: Form) -> dict[str, Any]:
    return {
        "number": form.get("number", ""),
        "label": form.get("label", ""),
        "to": form.all("to"),
        "schedule": form.get("schedule") or None,
        "closed": form.all("closed"),
        "record": form.get("record", "inherit"),
    }


def _hunt_group(form: Form) -> dict[str, Any]:
    members: list[Any] = []
    paused = set(form.all("paused"))
    for number in form.all("member"):
        members.append({"extension": number, "paused": True} if number in paused else number)
    return {
        "name": form.get("name", ""),
        "number": form.get("number") or None,
        "members": members,
        "strategy": form.get("strategy", "in_order"),
        **_numbers(form, "ring_seconds", "max_seconds"),
        "then": form.all("then"),
    }


def _extension(form: Form) -> dict[str, Any]:
    return {
        "number": form.get("number", ""),
        "name": form.get("name", ""),
        **_numbers(form, "ring_seconds"),
        "dnd": form.ticked("dnd"),
        "enabled": form.ticked("enabled"),
        "schedule": form.get("schedule") or None,
        "record": form.get("record", "inherit"),
        "may_dial": form.lines("may_dial"),
        **{
            f"forward_{when}": form.lines(f"forward_{when}")
            for when in ("always", "busy", "no_answer", "unavailable")
        },
    }


def _schedule(form: Form) -> dict[str, Any]:
    ranges = {
        day: [part.strip() for part in form.get(day, "").split(",") if part.strip()] for day in DAYS
    }
    holidays = []
    columns = [form.column(f"holiday_{name}") for name in ("day", "name", "open", "yearly")]
    for day, name, opens, yearly in zip(*columns, strict=False):
        if day:
            holiday: dict[str, Any] = {"day": day, "name": name, "yearly": yearly == "yes"}
            holidays.append(holiday | ({"open": opens} if opens else {}))
    return {
        "name": form.get("name", ""),
        "weekly": weekly_lines(ranges),
        "holidays": holidays,
        "timezone": form.get("timezone") or None,
    }


def _block(form: Form) -> dict[str, Any]:
    return {
        "match": form.get("match", ""),
        "reason": form.get("reason", ""),
        "cause": form.get("cause", "") or "rejected",
    }


def _numbers(form: Form, *names: str) -> dict[str, int]:
    found = {}
    for name, text in form.pick(*names).items():
        if not (text.isascii() and text.isdecimal()):
            raise CallctlError("invalid_field", "is no number", name)
        found[name] = int(text)
    return found


_MAKERS = {
    "dids": _did,
    "hunt_groups": _hunt_group,
    "extensions": _extension,
    "schedules": _schedule,
    "blocklist": _block,
}
