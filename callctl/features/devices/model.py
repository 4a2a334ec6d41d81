"""What the API says of phones and trunks."""

from datetime import datetime

from msgspec import Struct

from callctl.core.devices import DeviceState, RegistrationState


class ExtensionState(Struct, frozen=True, forbid_unknown_fields=True):
    """`since`: from when on callctl has known it to be so, null while it does not know. `sip_user`
    is the name by which its phone registers."""

    number: str
    sip_user: str
    state: DeviceState
    since: datetime | None


class TrunkState(Struct, frozen=True, forbid_unknown_fields=True):
    """As `ExtensionState`; `registration`: of our own registration at the carrier, null for a trunk
    without one."""

    name: str
    state: DeviceState
    since: datetime | None
    registration: RegistrationState | None
    registration_since: datetime | None


class DevicesView(Struct, frozen=True, forbid_unknown_fields=True):
    """By Asterisk beside this daemon. `live` is false while it cannot be asked; `reason` then says
    why, and the rest is what was known last. `trunks` are for whoever sees all of the account's
    calls."""

    live: bool
    reason: str | None
    at: datetime
    extensions: list[ExtensionState]
    trunks: list[TrunkState]
