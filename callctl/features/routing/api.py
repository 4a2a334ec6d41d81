"""/api/v1/routing: the document whole, its objects one by one, trials, history."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.core.routing.expectations import plan_words
from callctl.core.routing.plan import RoutePlan
from callctl.core.routing.reasons import render_reason
from callctl.features.routing.examples import EXAMPLE, EXAMPLES
from callctl.features.routing.objects import KINDS, Change, Kind, objects_of
from callctl.features.routing.rights import require_package
from callctl.features.routing.service import ApplyResult, RoutingService
from callctl.features.routing.structs import Document
from callctl.http.endpoint import Actor, ApiCall, Endpoint, Page

_TAG = "routing"
_PATH = "/api/v1/routing"
_APPLY_ERRORS = ("invalid_routing", "broken_expectation", "already_exists")
_CHANGE_ERRORS = (*_APPLY_ERRORS, "package_required")
_MAX_BODY = 4 * 1024 * 1024
_MAX_PAGE = 200


class ExplainBody(Struct, frozen=True, forbid_unknown_fields=True):
    """`from`: an extension, a number outside, or ``withheld``; `at`: now if left out. `document`:
    as if it were the account's routing, which it is not made."""

    from_: Annotated[str, Meta(max_length=64)] = msgspec.field(name="from")
    to: Annotated[str, Meta(max_length=64)]
    at: str | None = None
    via: str | None = None
    document: Document | None = None


class ReasonView(Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the trace; `text` is its sentence."""

    code: str
    subject: str
    detail: str
    text: str


class PlanView(Struct, frozen=True, forbid_unknown_fields=True):
    """A plan: `steps` as data, `words` as one reads them, `reasons` in order."""

    plan_id: str
    account: int
    direction: str
    route: str
    did: str | None
    max_seconds: int | None
    steps: list[dict[str, Any]]
    words: list[str]
    reasons: list[ReasonView]


class DiffView(Struct, frozen=True, forbid_unknown_fields=True):
    changes: list[Change]


class DocumentQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """`with_secrets` needs the right to change the routing."""

    with_secrets: bool = False


class ApplyQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """`revision`: refuse unless this is still the account's last one."""

    revision: int | None = None


class HistoryQuery(Struct, frozen=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=_MAX_PAGE)] = 50
    cursor: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None


class RevisionView(Struct, frozen=True, forbid_unknown_fields=True):
    """An apply of the past; `document` is what it made of the routing, without secrets."""

    id: int
    applied_at: datetime
    applied_by: str
    document: dict[str, Any]


def plan_view(plan: RoutePlan) -> PlanView:
    """`plan` as the API and ``route explain --json`` show it."""
    return PlanView(
        plan_id=plan.plan_id,
        account=plan.account_id,
        direction=plan.direction,
        route=plan.route,
        did=plan.did,
        max_seconds=plan.max_seconds,
        steps=[
            {"kind": type(step).__name__.removesuffix("Step").lower(), **msgspec.to_builtins(step)}
            for step in plan.steps
        ],
        words=list(plan_words(plan)),
        reasons=[ReasonView(r.code, r.subject, r.detail, render_reason(r)) for r in plan.trace],
    )


def _changing(service: RoutingService, call: ApiCall) -> Actor:
    """Whoever changes the routing. Raises CallctlError("package_required")."""
    require_package(service.table, call.actor.account_id, datetime.now(UTC))
    return call.actor


def endpoints(service: RoutingService) -> list[Endpoint]:
    """Everything under /api/v1/routing."""
    return [
        *_document_endpoints(service),
        *(endpoint for kind in KINDS for endpoint in _object_endpoints(service, kind)),
    ]


def _document_endpoints(service: RoutingService) -> list[Endpoint]:
    async def explain(call: ApiCall) -> PlanView:
        body: ExplainBody = call.body
        at = body.at if body.at is not None else datetime.now(UTC)
        account_id = call.actor.account_id
        plan = service.explain(account_id, body.from_, body.to, at, body.via, body.document)
        return plan_view(plan)

    async def get_document(call: ApiCall) -> Document:
        actor = call.actor
        if not call.query.with_secrets:
            return service.export(actor.account_id)
        if Scope.ROUTING_WRITE not in actor.scopes:
            message = "secrets are shown to those who may change the routing"
            raise CallctlError("forbidden", message, detail={"scope": Scope.ROUTING_WRITE})
        return await service.export_with_secrets(actor.account_id, actor.author)

    async def put_document(call: ApiCall) -> ApplyResult:
        actor = _changing(service, call)
        revision = call.query.revision
        return await service.apply(
            actor.account_id, call.body, actor.author, base_revision=revision
        )

    async def diff(call: ApiCall) -> DiffView:
        return DiffView(service.diff(call.actor.account_id, call.body))

    async def history(call: ApiCall) -> Page[RevisionView]:
        query: HistoryQuery = call.query
        found = await service.list_revisions(call.actor.account_id, query.cursor, query.limit + 1)
        items = [
            RevisionView(r.id, r.applied_at, r.applied_by, r.document) for r in found[: query.limit]
        ]
        return Page(items, str(items[-1].id) if len(found) > query.limit else None)

    read, write = Scope.ROUTING_READ, Scope.ROUTING_WRITE
    return [
        Endpoint(
            "POST",
            f"{_PATH}/explain",
            "What would happen if this call came, and why; rings nobody",
            _TAG,
            read,
            explain,
            PlanView,
            body=ExplainBody,
            body_example=ExplainBody("+36201234567", "+3617000001"),
            errors=(*_APPLY_ERRORS, "not_found"),
            max_body_bytes=_MAX_BODY,
        ),
        Endpoint(
            "GET",
            _PATH,
            "The account's routing as one document",
            _TAG,
            read,
            get_document,
            Document,
            query=DocumentQuery,
            errors=("not_found",),
        ),
        Endpoint(
            "PUT",
            _PATH,
            "Replace the account's routing: all of it or nothing",
            _TAG,
            write,
            put_document,
            ApplyResult,
            query=ApplyQuery,
            body=Document,
            body_example=EXAMPLE,
            errors=(*_CHANGE_ERRORS, "revision_conflict", "not_found"),
            max_body_bytes=_MAX_BODY,
        ),
        Endpoint(
            "POST",
            f"{_PATH}/diff",
            "What a document would change; checks it too",
            _TAG,
            read,
            diff,
            DiffView,
            body=Document,
            body_example=EXAMPLE,
            errors=(*_APPLY_ERRORS, "not_found"),
            max_body_bytes=_MAX_BODY,
        ),
        Endpoint(
            "GET",
            f"{_PATH}/history",
            "Who applied what, the newest first",
            _TAG,
            read,
            history,
            Page[RevisionView],
            query=HistoryQuery,
        ),
    ]


def _object_endpoints(service: RoutingService, kind: Kind) -> list[Endpoint]:
    async def list_objects(call: ApiCall) -> Any:
        return Page(list(objects_of(service.export(call.actor.account_id), kind).values()), None)

    async def get_object(call: ApiCall) -> Any:
        return service.get_object(call.actor.account_id, kind, call.path["name"])

    async def create_object(call: ApiCall) -> ApplyResult:
        actor = _changing(service, call)
        return await service.put_object(actor.account_id, kind, None, call.body, actor.author)

    async def replace_object(call: ApiCall) -> ApplyResult:
        actor, name = _changing(service, call), call.path["name"]
        return await service.put_object(actor.account_id, kind, name, call.body, actor.author)

    async def delete_object(call: ApiCall) -> ApplyResult:
        actor = _changing(service, call)
        return await service.delete_object(actor.account_id, kind, call.path["name"], actor.author)

    path = f"{_PATH}/{kind.field}"
    item = f"{path}/{{name}}"
    word = kind.name.replace("_", " ")
    read, write = Scope.ROUTING_READ, Scope.ROUTING_WRITE
    page: Any = Page[kind.struct]  # type: ignore[name-defined]
    struct, result = kind.struct, ApplyResult
    errors = (*_CHANGE_ERRORS, "not_found")
    return [
        Endpoint("GET", path, f"Each {word}, in order", _TAG, read, list_objects, page),
        Endpoint(
            "GET", item, f"One {word}", _TAG, read, get_object, struct, errors=("not_found",)
        ),
        Endpoint(
            "POST", path, f"Add: {word}", _TAG, write, create_object, result,
            body=struct, body_example=EXAMPLES[kind.struct], status=201, errors=errors,
        ),
        Endpoint(
            "PUT", item, f"Replace: {word}", _TAG, write, replace_object, result,
            body=struct, body_example=EXAMPLES[kind.struct], errors=errors,
        ),
        Endpoint(
            "DELETE", item, f"Remove: {word}", _TAG, write, delete_object, result, errors=errors
        ),
    ]  # fmt: skip
