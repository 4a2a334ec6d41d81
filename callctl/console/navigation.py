"""The menu: what there is, for whom (R002-01, R003-36)."""

from collections.abc import Iterable
from dataclasses import dataclass

from callctl.console.language import N_
from callctl.core.permissions import Scope


@dataclass(frozen=True, slots=True)
class Entry:
    """One page of the menu. It is shown to whoever has one of `scopes`; a seller's page, to those
    only who have an account that can have others below it."""

    key: str
    path: str
    text: str
    icon: str
    scopes: tuple[Scope, ...]
    sellers: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """Entries under one heading; the first section has none."""

    text: str
    entries: tuple[Entry, ...]


MENU = (
    Section(
        "",
        (
            Entry("home", "/", N_("Home"), "house", (Scope.REPORTS_READ, Scope.CALLS_READ)),
            Entry("calls", "/calls", N_("Calls"), "phone", (Scope.CALLS_READ,)),
            Entry("live", "/live", N_("Live"), "radio", (Scope.CALLS_READ,)),
            Entry(
                "callbacks", "/callbacks", N_("Callbacks"), "phone-missed", (Scope.REPORTS_READ,)
            ),
            Entry("clients", "/clients", N_("Clients"), "users", (Scope.CLIENTS_READ,)),
            Entry("recordings", "/recordings", N_("Recordings"), "mic", (Scope.RECORDINGS_READ,)),
            Entry("reports", "/reports", N_("Reports"), "chart-column", (Scope.REPORTS_READ,)),
        ),
    ),
    Section(
        N_("Account"),
        (
            Entry("wallet", "/wallet", N_("Wallet"), "wallet", (Scope.LEDGER_READ,)),
            Entry("numbers", "/numbers", N_("Numbers"), "hash", (Scope.NUMBERS_READ,)),
            Entry("package", "/package", N_("Package"), "package", (Scope.PACKAGES_READ,)),
            Entry("rates", "/rates", N_("Rates"), "coins", (Scope.RATES_READ,)),
        ),
    ),
    Section(
        N_("Selling"),
        (
            Entry("accounts", "/accounts", N_("Accounts"), "network", (Scope.ACCOUNTS_READ,), True),
            Entry("tariffs", "/tariffs", N_("Price lists"), "tags", (Scope.RATES_READ,), True),
            Entry("stock", "/number-stock", N_("Number stock"), "boxes", (Scope.NUMBERS_STOCK,)),
            Entry(
                "package-sales",
                "/package-sales",
                N_("Packages sold"),
                "package-check",
                (Scope.PACKAGES_SELL,),
            ),
            Entry(
                "invoicing", "/invoicing", N_("Invoices"), "receipt-text", (Scope.INVOICES_WRITE,)
            ),
        ),
    ),
    Section(
        N_("Set up"),
        (
            Entry("routing", "/routing", N_("Routing"), "route", (Scope.ROUTING_READ,)),
            Entry("limits", "/limits", N_("Limits"), "gauge", (Scope.LIMITS_READ,)),
            Entry("people", "/people", N_("People"), "user-cog", (Scope.USERS_READ,)),
            Entry("tokens", "/tokens", N_("Tokens"), "key-round", (Scope.TOKENS_WRITE,)),
            Entry("webhooks", "/webhooks", N_("Webhooks"), "webhook", (Scope.WEBHOOKS_WRITE,)),
            Entry("audit", "/audit", N_("Audit log"), "scroll-text", (Scope.AUDIT_READ,)),
            Entry(
                "settings",
                "/settings",
                N_("Settings"),
                "settings",
                (Scope.SETTINGS_WRITE, Scope.SYSTEM_READ),
            ),
        ),
    ),
)


def menu_for(scopes: Iterable[str], available: Iterable[str]) -> list[Section]:
    """The sections with what a person of `scopes` may open, of the `available` paths."""
    held, there = frozenset(scopes), frozenset(available)
    sells = Scope.ACCOUNTS_READ in held

    def is_shown(entry: Entry) -> bool:
        return entry.path in there and bool(held & set(entry.scopes)) and entry.sellers <= sells

    shown = (Section(s.text, tuple(e for e in s.entries if is_shown(e))) for s in MENU)
    return [section for section in shown if section.entries]
