"""From what came over the wire to the Structs that an endpoint declares."""

import asyncio
import re
import types
import typing
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import IO, Any

import msgspec
from aiohttp import web

from callctl.core.errors import CallctlError
from callctl.http.endpoint import Endpoint

_BODY_SECONDS = 30.0
_FILE_SECONDS = 300.0
_COLLECTIONS = (list, tuple, set, frozenset)
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<place>.*)`)?$", re.DOTALL)
_NAMED = re.compile(r"^Object (?:contains unknown|missing required) field `(?P<name>.*)`$")


def field_error(error: msgspec.ValidationError, part: str) -> CallctlError:
    """msgspec's words as an error of ours; `part` is where the value came from (``body``)."""
    match = _PLACE.match(str(error))
    what, place = (match["what"], match["place"] or "") if match else (str(error), "")
    named = _NAMED.match(what)
    if named:
        place = f"{place}.{named['name']}"
        what = "unknown field" if "unknown" in what else "required, but missing"
    return CallctlError("invalid_field", what.replace("`", ""), field=f"{part}{place}")


def decode_query(endpoint: Endpoint, query: "Mapping[str, str]") -> Any:
    """The query string as the endpoint's Struct, None where it declares none.

    An empty value means "not given". Raises CallctlError("invalid_field").
    """
    declared = endpoint.query
    lists = _list_fields(declared) if declared is not None else frozenset()
    values: dict[str, Any] = {}
    for name in dict.fromkeys(query):
        texts = [text for text in query.getall(name) if text]  # type: ignore[attr-defined]
        if declared is None or (texts and name not in declared.__struct_encode_fields__):
            raise CallctlError("invalid_field", "unknown parameter", field=f"query.{name}")
        if len(texts) > 1 and name not in lists:
            raise CallctlError("invalid_field", "given more than once", field=f"query.{name}")
        if texts:
            values[name] = texts if name in lists else texts[0]
    if declared is None:
        return None
    _refuse_nul(values, "query")
    try:
        query_values = msgspec.convert(values, declared, strict=False)
    except msgspec.ValidationError as error:
        raise field_error(error, "query") from None
    refuse_far_times(query_values, "query")
    return query_values


async def decode_body(endpoint: Endpoint, request: web.Request) -> Any:
    """The JSON body as the endpoint's Struct, None where it declares none.

    Raises CallctlError: `unsupported_media_type`, `body_too_large`, `malformed_request`,
    `invalid_field`.
    """
    if endpoint.body is None:
        return None
    if request.content_type != "application/json":
        raise CallctlError(
            "unsupported_media_type", f"expected application/json, not {request.content_type}"
        )
    raw = await read_body(request, endpoint.max_body_bytes)
    try:
        if b"\\u0000" in raw:
            _refuse_nul(msgspec.json.decode(raw), "body")
        body = msgspec.json.decode(raw, type=endpoint.body)
    except msgspec.ValidationError as error:
        raise field_error(error, "body") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CallctlError("malformed_request", f"the body is not JSON: {error}") from None
    if _has_times(endpoint.body):
        refuse_far_times(body, "body")
    return body


async def read_body(request: web.Request, limit: int) -> bytes:
    """The whole body. Raises CallctlError: `body_too_large`, `request_timeout`."""
    chunks: list[bytes] = []

    async def keep(chunk: bytes) -> None:
        chunks.append(chunk)

    await _receive(request, limit, _BODY_SECONDS, keep)
    return b"".join(chunks)


async def save_body(request: web.Request, file: IO[bytes], limit: int) -> None:
    """The whole body into `file`, however slow the client. Raises as `read_body` does."""

    async def write(chunk: bytes) -> None:
        await asyncio.to_thread(file.write, chunk)

    await _receive(request, limit, _FILE_SECONDS, write)


async def _receive(
    request: web.Request, limit: int, seconds: float, take: Callable[[bytes], Awaitable[None]]
) -> None:
    too_large = CallctlError(
        "body_too_large", f"the body is larger than {limit} bytes", detail={"limit": limit}
    )
    if (request.content_length or 0) > limit:
        raise too_large
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.content.iter_any():
                size += len(chunk)
                if size > limit:
                    raise too_large
                await take(chunk)
    except TimeoutError:
        raise CallctlError("request_timeout", "the body did not arrive in time") from None
    except web.RequestPayloadError as error:
        raise CallctlError("malformed_request", f"the body is broken: {error}") from None


def decode_path(endpoint: Endpoint, match: Mapping[str, str]) -> Mapping[str, str]:
    """The variables of the path. One that no object can have is simply not found."""
    for value in match.values():
        if "\0" in value or not value.isprintable():
            raise CallctlError("not_found", "no such object")
    return dict(match)


def path_id(path: Mapping[str, str], name: str = "id") -> int:
    """A numeric id from the path. Raises CallctlError("not_found") for what can be none."""
    text = path[name]
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise CallctlError("not_found", f"no object with the id {text[:40]}")
    return int(text)


def _refuse_nul(value: Any, place: str) -> None:
    """PostgreSQL's text holds every character but this one."""
    if isinstance(value, str):
        if "\0" in value:
            raise CallctlError("invalid_field", "holds a NUL character", field=place)
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_nul(key, place)
            _refuse_nul(item, f"{place}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_nul(item, f"{place}[{index}]")


def refuse_far_times(value: Any, place: str) -> None:
    """A time can be written, by its offset, that lies before the year 1 or after 9999 in UTC.

    Raises CallctlError("invalid_field").
    """
    if isinstance(value, datetime):
        try:
            value.astimezone(UTC)
        except OverflowError:
            raise CallctlError(
                "invalid_field", "lies outside the years 1 to 9999 in UTC", field=place
            ) from None
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            refuse_far_times(getattr(value, name), f"{place}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            refuse_far_times(item, f"{place}[{index}]")


@cache
def _has_times(declared: type[msgspec.Struct]) -> bool:
    """Whether there is a time anywhere in it: large documents without one need no second look."""
    return b'"date-time"' in msgspec.json.encode(msgspec.json.schema(declared))


@cache
def _list_fields(declared: type[msgspec.Struct]) -> frozenset[str]:
    """Fields that may be given more than once."""
    return frozenset(
        field.encode_name
        for field in msgspec.structs.fields(declared)
        if any(
            typing.get_origin(kind) in (list, tuple, set, frozenset) for kind in _kinds(field.type)
        )
    )


def _kinds(kind: Any) -> tuple[Any, ...]:
    """`kind` without Annotated, and a union's parts one by one."""
    if typing.get_origin(kind) is typing.Annotated:
        return _kinds(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return tuple(part for arg in typing.get_args(kind) for part in _kinds(arg))
    return (kind,)
