"""The API's operations, called by pages: same handlers, same decoding, same check of rights."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
from aiohttp import web
from multidict import MultiDict

from callctl.console.forms import FileOfForm
from callctl.core.errors import CallctlError
from callctl.db.idempotency import HEADER as KEY_HEADER
from callctl.http.auth import require_scope
from callctl.http.decode import decode_path, decode_query, field_error, refuse_far_times
from callctl.http.endpoint import Actor, ApiCall, Endpoint
from callctl.http.server import request_key

_ROOT = "/api/v1"
_VARIABLE = re.compile(r"\{(\w+)\}")


class Operations:
    """Finds an operation by method and path, as the API's router does, and calls it.

    What a page may do is thereby what the API lets the same person do, and nothing else.
    """

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        # A path without variables goes before one that it would fit.
        ordered = sorted(endpoints, key=lambda e: e.path.count("{"))
        self._known = [(e.method, re.compile(_pattern(e.path)), e) for e in ordered]

    async def call(
        self,
        actor: Actor,
        request: web.Request,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        file: FileOfForm | None = None,
    ) -> Any:
        """What the operation at `path` (below ``/api/v1``) gives. `query` and `body` are plain
        values, as texts where they come from a form; None in `query` is not given. `file` is for
        an operation whose body is a file.

        Raises CallctlError: whatever the operation raises; `not_found`, `forbidden`,
        `invalid_field`.
        """
        endpoint, match = self._find(method, _ROOT + path)
        if endpoint.scope is not None:
            require_scope(actor, endpoint.scope)
        asked = decode_query(endpoint, _as_query(query or {}))
        given = _as_body(endpoint, body)
        sent = (headers or {}).get(KEY_HEADER)
        call = ApiCall(
            actor=actor,
            path=decode_path(endpoint, match),
            query=asked,
            body=given,
            headers=headers or {},
            # Of a request that has a file for its body, an operation reads the body only.
            raw=request if file is None else cast(web.Request, file),
            request_key=request_key(endpoint, sent, actor, _ROOT + path, asked, given),
        )
        return await endpoint.handler(call)

    def _find(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
        for known, pattern, endpoint in self._known:
            if known == method and (found := pattern.fullmatch(path)):
                return endpoint, found.groupdict()
        raise CallctlError("not_found", "there is nothing at this path")


def _pattern(path: str) -> str:
    parts = _VARIABLE.split(path)
    return "".join(
        f"(?P<{part}>[^/]+)" if place % 2 else re.escape(part) for place, part in enumerate(parts)
    )


def _as_query(values: Mapping[str, Any]) -> MultiDict[str]:
    query: MultiDict[str] = MultiDict()
    for name, value in values.items():
        if isinstance(value, bool):
            query.add(name, "true" if value else "false")
        elif isinstance(value, list):
            query.extend((name, str(item)) for item in value)
        elif value is not None:
            query.add(name, str(value))
    return query


def _as_body(endpoint: Endpoint, body: Any) -> Any:
    if endpoint.body is None:
        return None
    try:
        # Texts of a form stand for numbers, too.
        value = msgspec.convert(body, endpoint.body, strict=False)
    except msgspec.ValidationError as error:
        raise field_error(error, "body") from None
    refuse_far_times(value, "body")
    return value
