"""Scopes and roles, declared once: what a token or a person may do."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType


class Scope(StrEnum):
    """One right. An endpoint names the one it needs; a token lists those it has."""

    ACCOUNTS_READ = "accounts:read"
    ACCOUNTS_WRITE = "accounts:write"
    AUDIT_READ = "audit:read"
    CALLBACKS_WRITE = "callbacks:write"
    CALLS_ANNOTATE = "calls:annotate"
    CALLS_CONTROL = "calls:control"
    CALLS_LISTEN = "calls:listen"
    CALLS_PLACE = "calls:place"
    CALLS_READ = "calls:read"
    CLIENTS_DELETE = "clients:delete"
    CLIENTS_READ = "clients:read"
    CLIENTS_SETTINGS = "clients:settings"
    CLIENTS_WRITE = "clients:write"
    EXPORTS_WRITE = "exports:write"
    GROUPS_WRITE = "groups:write"
    INVOICES_WRITE = "invoices:write"
    LEDGER_BELOW = "ledger:below"
    LEDGER_ISSUE = "ledger:issue"
    LEDGER_READ = "ledger:read"
    LEDGER_TOP_UP = "ledger:top_up"
    LIMITS_APPROVE = "limits:approve"
    LIMITS_READ = "limits:read"
    PACKAGES_READ = "packages:read"
    PACKAGES_SELL = "packages:sell"
    PACKAGES_WRITE = "packages:write"
    NUMBERS_BUY = "numbers:buy"
    NUMBERS_READ = "numbers:read"
    NUMBERS_STOCK = "numbers:stock"
    PAYMENTS_WRITE = "payments:write"
    PROFILE_WRITE = "profile:write"
    RATES_READ = "rates:read"
    RATES_WRITE = "rates:write"
    RECORDINGS_CONTROL = "recordings:control"
    RECORDINGS_LOG = "recordings:log"
    RECORDINGS_MANAGE = "recordings:manage"
    RECORDINGS_READ = "recordings:read"
    REPORTS_READ = "reports:read"
    ROUTING_READ = "routing:read"
    ROUTING_WRITE = "routing:write"
    SETTINGS_WRITE = "settings:write"
    SYSTEM_READ = "system:read"
    THRESHOLDS_WRITE = "thresholds:write"
    TOKENS_WRITE = "tokens:write"
    TRANSFERS_AUDIT = "transfers:audit"
    TRANSFERS_WRITE = "transfers:write"
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    WEBHOOKS_WRITE = "webhooks:write"


SCOPE_MEANINGS: Mapping[Scope, str] = MappingProxyType(
    {
        Scope.ACCOUNTS_READ: "See the accounts below one's own.",
        Scope.ACCOUNTS_WRITE: "Make and change accounts below one's own, invite to them.",
        Scope.AUDIT_READ: "See who changed what.",
        Scope.CALLBACKS_WRITE: "Settle callbacks by hand and say who is responsible.",
        Scope.CALLS_ANNOTATE: "Write notes on calls, acknowledge notices.",
        Scope.CALLS_CONTROL: "Hang up and transfer calls that go on.",
        Scope.CALLS_LISTEN: "Listen, whisper and barge into calls that go on.",
        Scope.CALLS_PLACE: "Place calls.",
        Scope.CALLS_READ: "Read the call history.",
        Scope.CLIENTS_DELETE: "Delete and merge clients, delete client groups.",
        Scope.CLIENTS_READ: "See clients, and export them.",
        Scope.CLIENTS_SETTINGS: "Change types of clients, and whether callers become clients.",
        Scope.CLIENTS_WRITE: "Add, change and import clients and their groups.",
        Scope.EXPORTS_WRITE: "Export what may be read; fetch and verify exports.",
        Scope.GROUPS_WRITE: "Make, change and delete groups.",
        Scope.INVOICES_WRITE: "See, answer and settle invoice requests of accounts directly below.",
        Scope.LEDGER_BELOW: "See the ledgers of accounts directly below.",
        Scope.LEDGER_ISSUE: "Give funds to accounts directly below.",
        Scope.LEDGER_READ: "See the account's money: ledger, transfers, payments, invoices.",
        Scope.LEDGER_TOP_UP: "Credit money from outside to one's own account and those below.",
        Scope.LIMITS_APPROVE: "Let held calls to the outside pass, or refuse them.",
        Scope.LIMITS_READ: "See limits of calls to the outside, held calls and notices.",
        Scope.PACKAGES_READ: "See the package, its members, quotes and orders.",
        Scope.PACKAGES_SELL: "See customers' packages, demand them, set prices and reminders.",
        Scope.PACKAGES_WRITE: "Buy and renew the package from the wallet; add and remove members.",
        Scope.NUMBERS_BUY: "Buy, test and release numbers, and ask for others.",
        Scope.NUMBERS_READ: "See one's numbers, those for sale, and requests for others.",
        Scope.NUMBERS_STOCK: "Load and price numbers for sale; answer requests.",
        Scope.PAYMENTS_WRITE: "Pay through a provider, ask for invoices.",
        Scope.PROFILE_WRITE: "Change one's own name, password, second factor and sessions.",
        Scope.RATES_READ: "See price lists, who pays by which, and what a call would cost.",
        Scope.RATES_WRITE: "Import price lists, and say who pays by which.",
        Scope.RECORDINGS_CONTROL: "Pause and resume the recording of calls under way.",
        Scope.RECORDINGS_LOG: "See who listened to recordings.",
        Scope.RECORDINGS_MANAGE: "Say how recordings are kept and for how long, and hold them.",
        Scope.RECORDINGS_READ: "Listen to recordings and download them.",
        Scope.REPORTS_READ: "Read reports and the dashboard.",
        Scope.ROUTING_READ: "Read the routing and try what it would do.",
        Scope.ROUTING_WRITE: "Change the routing.",
        Scope.SETTINGS_WRITE: "Say how calls are shown to all; share filters with all.",
        Scope.SYSTEM_READ: "See how the system is doing.",
        Scope.THRESHOLDS_WRITE: "Set from when on a call is too long, and who is told.",
        Scope.TOKENS_WRITE: "See, issue and revoke tokens.",
        Scope.TRANSFERS_AUDIT: "Approve or reject transfers that somebody else has made.",
        Scope.TRANSFERS_WRITE: "Make transfers to the superior, delete those not approved.",
        Scope.USERS_READ: "See people and groups.",
        Scope.USERS_WRITE: "Invite, make, change and block people.",
        Scope.WEBHOOKS_WRITE: "See and change webhooks and their deliveries.",
    }
)

ALL_SCOPES: frozenset[str] = frozenset(Scope)


class Role(StrEnum):
    """What a person is in the company (R002-03 to R002-06)."""

    ADMINISTRATOR = "administrator"
    HEAD = "head"
    GROUP_LEADER = "group_leader"
    MANAGER = "manager"


_OWN_CALLS: frozenset[str] = frozenset(
    {
        Scope.CALLBACKS_WRITE,
        Scope.CALLS_ANNOTATE,
        Scope.CALLS_CONTROL,
        Scope.CALLS_PLACE,
        Scope.CALLS_READ,
        Scope.CLIENTS_READ,
        Scope.CLIENTS_WRITE,
        Scope.PROFILE_WRITE,
        Scope.RECORDINGS_CONTROL,
        Scope.RECORDINGS_READ,
        Scope.REPORTS_READ,
    }
)
_GROUPS_CALLS = _OWN_CALLS | {
    Scope.AUDIT_READ,
    Scope.CALLS_LISTEN,
    Scope.EXPORTS_WRITE,
    Scope.USERS_READ,
}

ROLE_SCOPES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        Role.ADMINISTRATOR: ALL_SCOPES,
        # Sees all calls and all money, changes no settings and moves none.
        Role.HEAD: _GROUPS_CALLS
        | {
            Scope.LEDGER_READ,
            Scope.LIMITS_READ,
            Scope.NUMBERS_READ,
            Scope.PACKAGES_READ,
            Scope.RATES_READ,
            Scope.ROUTING_READ,
        },
        Role.GROUP_LEADER: _GROUPS_CALLS,
        Role.MANAGER: _OWN_CALLS,
    }
)

SEES_ALL_CALLS: frozenset[str] = frozenset({Role.ADMINISTRATOR, Role.HEAD})
"""Roles that see every call of the account; the others see those of some extensions."""

WHOLE_ACCOUNT_SCOPES: frozenset[str] = frozenset(
    {
        Scope.ACCOUNTS_READ,
        Scope.ACCOUNTS_WRITE,
        Scope.CLIENTS_SETTINGS,
        Scope.GROUPS_WRITE,
        Scope.INVOICES_WRITE,
        Scope.LEDGER_BELOW,
        Scope.LEDGER_ISSUE,
        Scope.LEDGER_READ,
        Scope.LEDGER_TOP_UP,
        Scope.LIMITS_APPROVE,
        Scope.PACKAGES_READ,
        Scope.PACKAGES_SELL,
        Scope.PACKAGES_WRITE,
        Scope.NUMBERS_BUY,
        Scope.NUMBERS_READ,
        Scope.NUMBERS_STOCK,
        Scope.RATES_READ,
        Scope.RATES_WRITE,
        Scope.PAYMENTS_WRITE,
        Scope.RECORDINGS_LOG,
        Scope.RECORDINGS_MANAGE,
        Scope.ROUTING_READ,
        Scope.ROUTING_WRITE,
        Scope.SETTINGS_WRITE,
        Scope.SYSTEM_READ,
        Scope.THRESHOLDS_WRITE,
        Scope.TOKENS_WRITE,
        Scope.TRANSFERS_AUDIT,
        Scope.TRANSFERS_WRITE,
        Scope.USERS_WRITE,
        Scope.WEBHOOKS_WRITE,
    }
)
"""Rights over the whole account: whoever sees a part of its calls only can have none of them."""

_OPERATORS = frozenset({Scope.LEDGER_TOP_UP, Scope.SYSTEM_READ})

_LACKING_SCOPES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "operator": frozenset(),
        # The machine and its Asterisk are the operator's, and so is money from outside.
        "reseller": _OPERATORS,
        # Nothing is below an enterprise.
        "enterprise": _OPERATORS
        | {
            Scope.ACCOUNTS_READ,
            Scope.ACCOUNTS_WRITE,
            Scope.INVOICES_WRITE,
            Scope.LEDGER_BELOW,
            Scope.LEDGER_ISSUE,
            Scope.NUMBERS_STOCK,
            Scope.PACKAGES_SELL,
        },
    }
)


def scopes_of_account(kind: str) -> frozenset[str]:
    """What anybody in an account of this kind can be allowed."""
    return ALL_SCOPES - _LACKING_SCOPES.get(kind, ALL_SCOPES)


def scopes_of_role(role: str) -> frozenset[str]:
    """A role that is not declared gives no rights at all."""
    return ROLE_SCOPES.get(role, frozenset())


def grantable_scopes(role: str) -> frozenset[str]:
    """What a person of this role can be granted one by one (R002-07)."""
    if role not in ROLE_SCOPES:
        return frozenset()
    return ALL_SCOPES if role in SEES_ALL_CALLS else ALL_SCOPES - WHOLE_ACCOUNT_SCOPES


def rights_of(
    role: str, granted: Iterable[str], withdrawn: Iterable[str], account_kind: str
) -> frozenset[str]:
    """What a person may do: the role's scopes, plus those granted, less those withdrawn."""
    extra = frozenset(granted) & grantable_scopes(role)
    held = (scopes_of_role(role) | extra) - frozenset(withdrawn)
    return held & scopes_of_account(account_kind)


def extensions_of(role: str, own: str | None, group: Iterable[str]) -> tuple[str, ...] | None:
    """Whose calls a person sees (R002-04 to R002-06): None = all of the account's.

    `own`: the person's extension; `group`: those of the people of the same group.
    """
    if role in SEES_ALL_CALLS:
        return None
    seen = {own} if own is not None else set()
    if role == Role.GROUP_LEADER:
        seen.update(group)
    return tuple(sorted(seen))


OPEN_TO_ALL: frozenset[tuple[str, str]] = frozenset(
    {
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
        ("GET", "/api/v1/openapi.json"),
        ("POST", "/api/v1/sessions"),
        ("DELETE", "/api/v1/sessions"),
        ("POST", "/api/v1/invitations/accept"),
        # Signed by the provider.
        ("POST", "/api/v1/payments/callback"),
    }
)
"""The operations that need no scope: a method and a path that is not here must name one."""
