"""What the API takes and says about places on the map of workstations."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from callctl.http.fields import ExtensionNumber

COLUMNS = 12
ROWS = 40

Column = Annotated[int, Meta(ge=0, lt=COLUMNS)]
Row = Annotated[int, Meta(ge=0, lt=ROWS)]
Label = Annotated[str, Meta(max_length=40)]


class NewWorkplace(Struct, frozen=True, forbid_unknown_fields=True):
    """A place in column `x` and row `y`, both from 0, with somebody's phone or without. An
    extension has one place at most."""

    x: Column
    y: Row
    label: Label = ""
    extension: ExtensionNumber | None = None


class WorkplaceChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be another; what is left out stays. `extension` null takes the phone away."""

    x: Column | UnsetType = UNSET
    y: Row | UnsetType = UNSET
    label: Label | UnsetType = UNSET
    extension: ExtensionNumber | UnsetType | None = UNSET


class WorkplaceView(Struct, frozen=True, forbid_unknown_fields=True):
    id: int
    x: int
    y: int
    label: str
    extension: str | None


class WorkplaceList(Struct, frozen=True, forbid_unknown_fields=True):
    """All that one may see: places without a phone, and those of extensions whose calls one
    sees, row by row."""

    columns: int
    rows: int
    items: list[WorkplaceView]
