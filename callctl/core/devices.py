"""Whether phones and trunks can be reached, by what Asterisk says of their addresses."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class DeviceState(StrEnum):
    """`UNREGISTERED`: no address is known, as of a phone that is switched off. `UNREACHABLE`: there
    is one, and it does not answer. `UNKNOWN`: Asterisk was not asked yet, or does not know it."""

    REACHABLE = "reachable"
    UNREACHABLE = "unreachable"
    UNREGISTERED = "unregistered"
    UNKNOWN = "unknown"
    DISABLED = "disabled"


class RegistrationState(StrEnum):
    """How our own registration at a carrier stands."""

    REGISTERED = "registered"
    REJECTED = "rejected"
    UNREGISTERED = "unregistered"


@dataclass(frozen=True, slots=True)
class Since:
    """A state, and from when on it has been known (epoch seconds)."""

    state: str
    since: float


_ABSENT = frozenset({"unavailable", "invalid", "unknown"})


def state_of_device(contacts: str, device_state: str) -> DeviceState:
    """By what Asterisk lists of an endpoint: its addresses, and the state that it is in. Of one
    whose address is never asked nothing better is known than that it has one."""
    if not contacts.strip(" ,"):
        return DeviceState.UNREGISTERED
    if device_state.lower() in _ABSENT:
        return DeviceState.UNREACHABLE
    return DeviceState.REACHABLE


def state_of_registration(status: str) -> RegistrationState:
    try:
        return RegistrationState(status.lower())
    except ValueError:
        return RegistrationState.UNREGISTERED


def since_of(
    before: Mapping[str, Since], states: Mapping[str, str], now: float
) -> dict[str, Since]:
    """What is known now: a state that is as it was is as old as it was."""
    return {
        name: was if (was := before.get(name)) and was.state == state else Since(state, now)
        for name, state in states.items()
    }
