"""Scopes and roles, declared once: what a token or a person may do."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Scope(StrEnum):
    """One right. An endpoint names the one it needs; a token lists those it has."""

    CALLS_ANNOTATE = "calls:annotate"
    CALLS_READ = "calls:read"
    CALLS_PLACE = "calls:place"
    LIMITS_APPROVE = "limits:approve"
    LIMITS_READ = "limits:read"
    RECORDINGS_READ = "recordings:read"
    ROUTING_READ = "routing:read"
    ROUTING_WRITE = "routing:write"
    SYSTEM_READ = "system:read"
    THRESHOLDS_WRITE = "thresholds:write"
    TOKENS_WRITE = "tokens:write"
    WEBHOOKS_WRITE = "webhooks:write"


SCOPE_MEANINGS: Mapping[Scope, str] = MappingProxyType(
    {
        Scope.CALLS_ANNOTATE: "Write notes on calls, acknowledge notices.",
        Scope.CALLS_READ: "Read the call history.",
        Scope.CALLS_PLACE: "Place calls.",
        Scope.LIMITS_APPROVE: "Let held calls to the outside pass, or refuse them.",
        Scope.LIMITS_READ: "See limits of calls to the outside, held calls and notices.",
        Scope.RECORDINGS_READ: "Listen to recordings.",
        Scope.ROUTING_READ: "Read the routing and try what it would do.",
        Scope.ROUTING_WRITE: "Change the routing.",
        Scope.SYSTEM_READ: "See how the system is doing.",
        Scope.THRESHOLDS_WRITE: "Set from when on a call is too long, and who is told.",
        Scope.TOKENS_WRITE: "See, issue and revoke tokens.",
        Scope.WEBHOOKS_WRITE: "See and change webhooks and their deliveries.",
    }
)

ALL_SCOPES: frozenset[str] = frozenset(Scope)


class Role(StrEnum):
    """What a person is in the company (R002-03, R002-04). Roles bound to a group come later."""

    ADMINISTRATOR = "administrator"
    HEAD = "head"


ROLE_SCOPES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        Role.ADMINISTRATOR: ALL_SCOPES,
        # Sees all calls, changes no settings.
        Role.HEAD: frozenset(
            {
                Scope.CALLS_ANNOTATE,
                Scope.CALLS_READ,
                Scope.CALLS_PLACE,
                Scope.LIMITS_READ,
                Scope.RECORDINGS_READ,
                Scope.ROUTING_READ,
            }
        ),
    }
)


def scopes_of_role(role: str) -> frozenset[str]:
    """A role that is not declared gives no rights at all."""
    return ROLE_SCOPES.get(role, frozenset())
