"""A document on its way to be saved: checked, with endpoints named and secrets settled. Pure."""

import itertools
import re
import secrets
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from msgspec.structs import replace as replace_struct

from callctl.config import SECRET_VARIABLE_PREFIX
from callctl.core.errors import CallctlError
from callctl.core.routing.check import Problem, check_routing
from callctl.core.routing.expectations import Expectation
from callctl.core.routing.limits import LimitSettings
from callctl.core.routing.model import (
    AccountRouting,
    RoutingTable,
    SipCredential,
    Trunk,
    TrunkOrders,
    build_table,
)
from callctl.features.routing import structs
from callctl.features.routing.document import DocumentError, Place, build_routing, canonical
from callctl.features.routing.source import Source
from callctl.features.routing.store import Snapshot, StoredAccount
from callctl.features.routing.trial import broken_expectations
from callctl.numbers import is_country

_SECRET = re.compile(r"[!-:<-~]{6,64}")
_ALPHABET = "".join(sorted(set(string.ascii_letters + string.digits) - set("0O1lI")))
_SECRET_CHARS = 20


@dataclass(frozen=True, slots=True)
class Prepared:
    """Ready to be saved. `credentials` are all of the account's, new and kept ones."""

    stored: StoredAccount
    routing: AccountRouting
    credentials: Mapping[str, SipCredential]
    warnings: tuple[Problem, ...]


def routing_of(stored: StoredAccount) -> AccountRouting:
    """The model of what is stored, endpoints included."""
    routing, _ = build_routing(stored.document, stored.account)
    return _with_endpoints(routing, stored.endpoints)


OrdersOf = Callable[[AccountRouting], TrunkOrders]
"""In which order an account's routes try their trunks, where that is by price."""


def table_of(snapshot: Snapshot, orders_of: OrdersOf = lambda routing: {}) -> RoutingTable:
    """The whole routing table of what is stored."""
    routings = map(routing_of, snapshot.accounts)
    priced = tuple(replace(routing, trunk_orders=orders_of(routing)) for routing in routings)
    return build_table(priced, snapshot.revision)


def with_routing(table: RoutingTable, ready: Prepared, orders_of: OrdersOf) -> RoutingTable:
    """`table` as it would be with what is `ready` in force."""
    routing = replace(ready.routing, trunk_orders=orders_of(ready.routing))
    others = (index.routing for index in table.accounts.values())
    kept = [other for other in others if other.account.id != routing.account.id]
    return build_table((*kept, routing), table.revision)


def prepare(
    document: structs.Document,
    account_id: int,
    snapshot: Snapshot,
    environ: Mapping[str, str],
    *,
    source: Source | None = None,
    file: str = "",
) -> Prepared:
    """Check `document` whole against everything else that is stored.

    Raises CallctlError: ``invalid_routing`` with every problem and its place, or
    ``broken_expectation`` with each expectation that would not hold, both plans shown.
    """
    current = next((a for a in snapshot.accounts if a.account.id == account_id), None)
    if current is None:
        raise CallctlError("not_found", f"there is no account {account_id}")
    try:
        routing, expectations = build_routing(document, current.account)
    except DocumentError as error:
        raise invalid_routing(error.places, source, file) from None
    given = document
    document = _named(canonical(document, routing), expectations)
    problems = check_routing(routing)
    problems += _check_surroundings(routing, expectations, current, snapshot)
    endpoints = _name_endpoints(routing, current, snapshot)
    routing = _with_endpoints(routing, endpoints)
    credentials, secret_problems = _credentials(given, routing, snapshot, environ)
    problems += secret_problems
    errors = [problem for problem in problems if not problem.warning]
    if errors:
        raise invalid_routing([Place(p.path, p.message) for p in errors], source, file)
    _expect(routing, expectations, snapshot, source, file)
    return Prepared(
        StoredAccount(routing.account, document, endpoints),
        routing,
        credentials,
        tuple(problem for problem in problems if problem.warning),
    )


def invalid_routing(places: list[Place], source: Source | None, file: str = "") -> CallctlError:
    """`places` as one error; with lines where the document was a file."""
    if source is not None:
        places = [p if p.line else replace(p, line=source.line_of(p.path)) for p in places]
    detail = [
        {"path": p.path, "message": p.message, **({"line": p.line} if p.line else {})}
        for p in places
    ]
    return CallctlError("invalid_routing", DocumentError(places, file).text(), detail=detail)


def _named(document: structs.Document, expectations: tuple[Expectation, ...]) -> structs.Document:
    named = [
        structs.ExpectationDoc(e.from_, e.to, list(e.then), e.at, e.via, e.name)
        for e in expectations
    ]
    return structs.Document(
        **{f: getattr(document, f) for f in document.__struct_fields__ if f != "expectations"},
        expectations=named,
    )


def _check_surroundings(
    routing: AccountRouting,
    expectations: tuple[Expectation, ...],
    current: StoredAccount,
    snapshot: Snapshot,
) -> list[Problem]:
    """What an account's routing alone cannot tell: its own code, other accounts, countries."""
    problems = []
    if routing.account.code != current.account.code:
        message = f"this document is of account {routing.account.code}, not {current.account.code}"
        problems.append(Problem("account.code", message))
    if not is_country(routing.account.country):
        message = f"no numbers are known of a country {routing.account.country!r}; write HU or US"
        problems.append(Problem("account.country", message))
    for path, limits in _limits_with_paths(routing):
        for key, _ in limits.destinations:
            if len(key) == 2 and not is_country(key):
                message = f"no numbers are known of a country {key!r}; write GB or US"
                problems.append(Problem(f"{path}.destinations.{key}", message))
    taken = {
        did.number: other.account.code
        for other in snapshot.accounts
        if other.account.id != current.account.id
        for did in other.document.dids
    }
    for place, did in enumerate(routing.dids):
        if did.number in taken:
            message = f"{did.number} belongs to account {taken[did.number]} already"
            problems.append(Problem(f"dids[{place}].number", message))
    names: set[str] = set()
    for place, wanted in enumerate(expectations):
        if wanted.name in names:
            path = f"expectations[{place}].name"
            problems.append(Problem(path, f"{wanted.name!r} names an expectation above"))
        names.add(wanted.name)
    return problems


def _limits_with_paths(routing: AccountRouting) -> Iterator[tuple[str, LimitSettings]]:
    yield "limits", routing.limits
    for place, extension in enumerate(routing.extensions):
        if extension.limits is not None:
            yield f"extensions[{place}].limits", extension.limits


def _expect(
    routing: AccountRouting,
    expectations: tuple[Expectation, ...],
    snapshot: Snapshot,
    source: Source | None,
    file: str,
) -> None:
    account_id = routing.account.id
    others = [routing_of(a) for a in snapshot.accounts if a.account.id != account_id]
    # They say where calls go, not whether they are paid for.
    free = replace(routing, account=replace(routing.account, package=None))
    after = build_table((*others, free))
    broken = broken_expectations(after, table_of(snapshot), account_id, expectations)
    if broken:
        lines = []
        for entry in broken:
            at = ""
            if source is not None:
                entry["line"] = source.line_of(str(entry["path"]))
                at = ":".join(v for v in (file, str(entry["line"])) if v) + ": "
            lines.append(f"{at}expectation {entry['name']!r} would not hold:")
            lines.append(f"  expected: {_show(entry['expected'])}")
            lines.append(f"  planned:  {_show(entry['planned']) or entry.get('problem', '')}")
        raise CallctlError("broken_expectation", "\n".join(lines), detail=broken)


def _show(steps: object) -> str:
    return "; ".join(map(str, steps)) if isinstance(steps, list) else ""


# Endpoints and secrets


def _with_endpoints(
    routing: AccountRouting, endpoints: Mapping[tuple[str, str], str]
) -> AccountRouting:
    return replace(
        routing,
        extensions=tuple(
            replace(e, endpoint=endpoints["extension", e.number]) for e in routing.extensions
        ),
        trunks=tuple(replace(t, endpoint=endpoints["trunk", t.name]) for t in routing.trunks),
    )


def _name_endpoints(
    routing: AccountRouting, current: StoredAccount, snapshot: Snapshot
) -> dict[tuple[str, str], str]:
    """An object keeps the endpoint it has; a new one gets its own name, or one with the account's.

    Names are unique over all accounts: they are the sections of one pjsip configuration.
    """
    objects = [("extension", e.number) for e in routing.extensions]
    objects += [("trunk", t.name) for t in routing.trunks]
    taken = {
        endpoint.casefold()
        for other in snapshot.accounts
        if other.account.id != current.account.id
        for endpoint in other.endpoints.values()
    }
    named = {key: current.endpoints[key] for key in objects if key in current.endpoints}
    taken |= {endpoint.casefold() for endpoint in named.values()}
    for kind, name in objects:
        if (kind, name) in named:
            continue
        # "*" and "#" are dialled, but are not fit for a section's name.
        base = name.replace("*", "star").replace("#", "hash")
        code = routing.account.code
        choices = itertools.chain(
            (base, f"{base}-{code}", f"{base}-{kind}-{code}"),
            (f"{base}-{code}-{n}" for n in itertools.count(2)),
        )
        named[kind, name] = next(c for c in choices if c.casefold() not in taken)
        taken.add(named[kind, name].casefold())
    return named


def add_secrets(
    stored: StoredAccount, credentials: Mapping[str, SipCredential]
) -> structs.Document:
    """The account's document with the SIP passwords of its extensions and trunks."""

    def secret(kind: str, key: str) -> str | None:
        found = credentials.get(stored.endpoints[kind, key])
        return found.secret if found else None

    document = stored.document
    return replace_struct(
        document,
        extensions=[
            replace_struct(e, secret=secret("extension", e.number)) for e in document.extensions
        ],
        trunks=[
            replace_struct(t, secret=secret("trunk", t.name), secret_env=None)
            for t in document.trunks
        ],
    )


def _credentials(
    document: structs.Document,
    routing: AccountRouting,
    snapshot: Snapshot,
    environ: Mapping[str, str],
) -> tuple[dict[str, SipCredential], list[Problem]]:
    """Given secrets, else those there are, else (for extensions) new ones."""
    problems: list[Problem] = []
    credentials: dict[str, SipCredential] = {}
    known = snapshot.credentials
    for place, (extension, doc) in enumerate(
        zip(routing.extensions, document.extensions, strict=True)
    ):
        endpoint = extension.endpoint
        kept = known.get(endpoint)
        secret = doc.secret or (kept.secret if kept else _new_secret())
        problems += _check_secret(f"extensions[{place}].secret", secret)
        credentials[endpoint] = SipCredential(endpoint, endpoint, secret)
    for place, (trunk, trunk_doc) in enumerate(zip(routing.trunks, document.trunks, strict=True)):
        path = f"trunks[{place}]"
        given, wrong = _given_secret(path, trunk_doc, environ)
        kept = known.get(trunk.endpoint)
        secret = given or (kept.secret if kept else "")
        problems += wrong or _check_trunk_secret(path, trunk, secret)
        if secret:
            credentials[trunk.endpoint] = SipCredential(trunk.endpoint, trunk.username, secret)
    return credentials, problems


def _given_secret(
    path: str, doc: structs.TrunkDoc, environ: Mapping[str, str]
) -> tuple[str | None, list[Problem]]:
    if doc.secret_env is None:
        return doc.secret, []
    where = f"{path}.secret_env"
    if doc.secret is not None:
        return None, [Problem(where, "give either secret or secret_env")]
    if not doc.secret_env.startswith(SECRET_VARIABLE_PREFIX):
        message = f"the variable's name must begin with {SECRET_VARIABLE_PREFIX}"
        return None, [Problem(where, message)]
    # Not there now (another machine's export): what is stored stays.
    return environ.get(doc.secret_env), []


def _check_trunk_secret(path: str, trunk: Trunk, secret: str) -> list[Problem]:
    if secret and not trunk.username:
        return [Problem(f"{path}.username", f"trunk {trunk.name} has a secret, but no user name")]
    if trunk.register and not secret:
        message = f"trunk {trunk.name} registers, so it needs secret or secret_env"
        return [Problem(f"{path}.secret", message)]
    return _check_secret(f"{path}.secret", secret) if secret else []


def _check_secret(path: str, secret: str) -> list[Problem]:
    if _SECRET.fullmatch(secret):
        return []
    return [Problem(path, "a secret has 6 to 64 ASCII characters, no blanks and no semicolon")]


def _new_secret() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_CHARS))
