"""OpenAPI 3.1, made from the endpoint declarations alone."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web

from callctl import __version__
from callctl.core.errors import ERRORS
from callctl.core.permissions import SCOPE_MEANINGS
from callctl.http.endpoint import Empty, Endpoint

_REFERENCE = "#/components/schemas/{name}"

_KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A name that the sender gives to this request. Sent again with it, nothing is "
    "done twice, and the first answer comes again; another request with it is refused.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
}

_ERROR_SCHEMA = {
    "title": "Error",
    "type": "object",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "additionalProperties": False,
            "properties": {
                "code": {"type": "string", "enum": list(ERRORS)},
                "message": {"type": "string"},
                "field": {"type": "string"},
                "detail": {},
            },
        }
    },
}


def build_openapi(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The whole document. Two endpoints may not share a method and a path."""
    endpoints = sorted(endpoints, key=lambda e: (e.path, e.method))
    schemas, components = _schemas_of(
        [e.response for e in endpoints if _has_schema(e)]
        + [e.body for e in endpoints if e.body is not None]
    )
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for endpoint in endpoints:
        operation, more = _operation(endpoint, schemas)
        components |= more
        paths[endpoint.path][endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "callctl",
            "version": __version__,
            "description": "Scopes: "
            + " ".join(f"`{scope}`: {words}" for scope, words in SCOPE_MEANINGS.items()),
        },
        "paths": dict(paths),
        "components": {
            "schemas": dict(sorted((components | {"Error": _ERROR_SCHEMA}).items())),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def error_codes_of(endpoint: Endpoint) -> tuple[str, ...]:
    """Every code that this endpoint may answer with: its own, and those of the platform."""
    codes = dict.fromkeys(endpoint.errors)
    if endpoint.scope is not None:
        codes |= dict.fromkeys(("unauthenticated", "forbidden", "database_unavailable"))
        if endpoint.method != "GET":
            codes["cross_origin"] = None
    if endpoint.idempotent:
        codes["idempotency_conflict"] = None
    # An unknown query parameter is refused everywhere.
    codes["invalid_field"] = None
    if endpoint.body is not None:
        codes |= dict.fromkeys(("unsupported_media_type", "body_too_large", "request_timeout"))
    if "{" in endpoint.path:
        codes["not_found"] = None
    codes |= dict.fromkeys(("malformed_request", "internal"))
    return tuple(codes)


def _has_schema(endpoint: Endpoint) -> bool:
    is_file = isinstance(endpoint.response, type) and issubclass(
        endpoint.response, web.StreamResponse
    )
    return endpoint.response is not Empty and not is_file


def _schemas_of(types: list[Any]) -> tuple[dict[int, Any], dict[str, Any]]:
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    text = msgspec.json.encode((schemas, components)).decode()
    for name in components:
        if "." in name:
            short = _name_by_feature(name)
            text = text.replace(f'"{name}":', f'"{short}":').replace(f'/{name}"', f'/{short}"')
    schemas, components = msgspec.json.decode(text)
    return {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}, components


def _name_by_feature(name: str) -> str:
    """Of two types of one name msgspec gives the modules: ``callctl.features.rates.model.Quote`` is
    RatesQuote to readers of the API."""
    *modules, own = name.split(".")
    return modules[2].title().replace("_", "") + own


def _operation(
    endpoint: Endpoint, schemas: dict[int, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]
    query_parameters, components = _query_parameters(endpoint.query)
    if endpoint.idempotent:
        parameters.append(_KEY_PARAMETER)
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": _operation_id(endpoint),
        "tags": [endpoint.tag],
        "responses": _responses(endpoint, schemas),
    }
    if parameters + query_parameters:
        operation["parameters"] = parameters + query_parameters
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {
                    "schema": schemas[id(endpoint.body)],
                    **_example(endpoint.body_example),
                }
            },
        }
    if endpoint.scope is not None:
        operation["security"] = [{"token": []}]
        operation["description"] = f"Needs the scope `{endpoint.scope}`."
        operation["x-scope"] = str(endpoint.scope)
    return operation, components


def _operation_id(endpoint: Endpoint) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", endpoint.path.removeprefix("/api/v1").lower()).strip("_")
    return f"{endpoint.method.lower()}_{words}"


def _query_parameters(
    query: type[msgspec.Struct] | None,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    if query is None:
        return [], {}
    (reference,), components = msgspec.json.schema_components([query], ref_template=_REFERENCE)
    own = components.pop(reference["$ref"].rsplit("/", 1)[1])
    required = own.get("required", [])
    parameters = [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": _without_null(schema),
            **({"description": schema["description"]} if "description" in schema else {}),
        }
        for name, schema in own["properties"].items()
    ]
    return parameters, components


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query parameter is left out, never null."""
    schema = {key: value for key, value in schema.items() if (key, value) != ("default", None)}
    parts = schema.get("anyOf")
    if parts is None:
        return schema
    kept = [part for part in parts if part != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return rest | (kept[0] if len(kept) == 1 else {"anyOf": kept})


def _example(value: Any) -> dict[str, Any]:
    return {} if value is None else {"example": msgspec.to_builtins(value)}


def _responses(endpoint: Endpoint, schemas: dict[int, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done."}
    if _has_schema(endpoint):
        schema = schemas[id(endpoint.response)]
        success["content"] = {"application/json": {"schema": schema, **_example(endpoint.example)}}
    elif endpoint.response is not Empty:
        success["content"] = {endpoint.content_type: {"schema": {}}}
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in error_codes_of(endpoint):
        by_status[ERRORS[code].status].append(code)
    failures = {
        str(status): {
            "description": " ".join(f"`{code}`: {ERRORS[code].meaning}" for code in codes),
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        for status, codes in sorted(by_status.items())
    }
    return {str(endpoint.status): success} | failures
