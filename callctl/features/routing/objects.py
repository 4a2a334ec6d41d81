"""The kinds of objects that a routing document is made of, and their diff."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from callctl.features.routing import structs


@dataclass(frozen=True, slots=True)
class Kind:
    """`name` is the database's word, `field` the document's; `key` is what names an object."""

    name: str
    field: str
    struct: type[structs.Doc]
    key: str
    ordered: bool = False

    def key_of(self, doc: structs.Doc) -> str:
        key: str = getattr(doc, self.key)
        return key


KINDS: tuple[Kind, ...] = (
    Kind("extension", "extensions", structs.ExtensionDoc, "number"),
    Kind("trunk", "trunks", structs.TrunkDoc, "name"),
    Kind("did", "dids", structs.DidDoc, "number"),
    Kind("hunt_group", "hunt_groups", structs.HuntGroupDoc, "name"),
    Kind("schedule", "schedules", structs.ScheduleDoc, "name"),
    Kind("block_rule", "blocklist", structs.BlockRuleDoc, "match", ordered=True),
    Kind("outbound_route", "outbound", structs.OutboundRouteDoc, "name", ordered=True),
    Kind("emergency", "emergency", structs.EmergencyDoc, "number"),
    Kind("expectation", "expectations", structs.ExpectationDoc, "name", ordered=True),
)

KIND_OF_FIELD = {kind.field: kind for kind in KINDS}


class FieldChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """JSON values before and after; null = not set."""

    field: str
    before: Any
    after: Any


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`action` is ``added``, ``removed`` or ``changed``; `kind` is the document's word."""

    action: str
    kind: str
    name: str
    fields: list[FieldChange] = []


def objects_of(document: structs.Document, kind: Kind) -> dict[str, structs.Doc]:
    """The objects of `kind` by their keys, in order. `document` must be canonical."""
    return {kind.key_of(doc): doc for doc in getattr(document, kind.field)}


def diff_documents(before: structs.Document, after: structs.Document) -> list[Change]:
    """What turns `before` into `after`; both canonical. Empty if nothing does."""
    changes = []
    account = _changed_fields(before.account, after.account)
    if account:
        changes.append(Change("changed", "account", after.account.code, account))
    limits = _changed_fields(before.limits, after.limits)
    if limits:
        changes.append(Change("changed", "limits", "", limits))
    for kind in KINDS:
        changes.extend(_diff_kind(kind, objects_of(before, kind), objects_of(after, kind)))
    return changes


def _diff_kind(
    kind: Kind, before: dict[str, structs.Doc], after: dict[str, structs.Doc]
) -> Iterator[Change]:
    for name, old in before.items():
        if name not in after:
            yield Change("removed", kind.field, name, _changed_fields(old, None))
    for name, new in after.items():
        if name not in before:
            yield Change("added", kind.field, name, _changed_fields(None, new))
            continue
        fields = _changed_fields(before[name], new)
        if fields:
            yield Change("changed", kind.field, name, fields)
    if kind.ordered:
        old_order = [name for name in before if name in after]
        new_order = [name for name in after if name in before]
        if old_order != new_order:
            yield Change("changed", kind.field, "", [FieldChange("order", old_order, new_order)])


def _changed_fields(
    before: msgspec.Struct | None, after: msgspec.Struct | None
) -> list[FieldChange]:
    old: dict[str, Any] = msgspec.to_builtins(before) if before else {}
    new: dict[str, Any] = msgspec.to_builtins(after) if after else {}
    names = [*old, *(name for name in new if name not in old)]
    return [
        FieldChange(name, old.get(name), new.get(name))
        for name in names
        if old.get(name) != new.get(name)
    ]
