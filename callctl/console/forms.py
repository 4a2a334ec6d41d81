"""What a browser sends: forms, and the parts of an address."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from callctl.console.amounts import read_amount
from callctl.core.errors import CallctlError
from callctl.http.decode import read_body

_MAX_FORM_BYTES = 1024 * 1024
_MOST_FIELDS = 2000
_MOST_BEFORE_FILE = 20
_FIELD_BYTES = 4096
_FIELDS_SECONDS = 30.0
_BROKEN = (
    ValueError, LookupError, AssertionError, RuntimeError, web.RequestPayloadError, BadHttpMessage,
)  # fmt: skip
"""What aiohttp raises at a form of several parts that is none."""


class Form(Mapping[str, str]):
    """The fields of a form that was sent, without blanks around them; a name may come again."""

    def __init__(self, fields: list[tuple[str, str]] | None = None) -> None:
        self._fields = [(name, value.strip()) for name, value in fields or []]
        self._last = dict(self._fields)

    def __getitem__(self, name: str) -> str:
        return self._last[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self._fields if key == name and value]

    def column(self, name: str) -> list[str]:
        """Every value of `name`, empty ones too: a table's column."""
        return [value for key, value in self._fields if key == name]

    def pick(self, *names: str) -> dict[str, Any]:
        """Those of `names` that were filled in."""
        return {name: self[name] for name in names if self.get(name)}

    def sent(self, *names: str) -> dict[str, str]:
        """Those of `names` that were sent, be they empty."""
        return {name: self[name] for name in names if name in self}

    def replace(self, *names: str) -> dict[str, Any]:
        """All of `names` that were sent; what was left empty is null."""
        return {name: self[name] or None for name in names if name in self}

    def ticked(self, name: str) -> bool:
        return bool(self.get(name))

    def amount(self, currency: str, name: str = "amount") -> int:
        """What was written as `read_amount` takes it, in minor units.

        Raises CallctlError("invalid_field").
        """
        try:
            return read_amount(self.get(name, ""), currency)
        except ValueError as error:
            raise CallctlError("invalid_field", str(error), field=f"form.{name}") from None

    def moment(self, name: str, zone: ZoneInfo) -> datetime | None:
        """A ``datetime-local`` field on the clocks of `zone`; None if it was left empty.

        Raises CallctlError("invalid_field").
        """
        text = self.get(name)
        try:
            return datetime.fromisoformat(text).replace(tzinfo=zone) if text else None
        except ValueError:
            words = "is no moment: write 2026-11-28T09:00"
            raise CallctlError("invalid_field", words, field=f"form.{name}") from None

    def lines(self, name: str) -> list[str]:
        """A text of several lines or of parts between commas."""
        parts = self.get(name, "").replace(",", "\n").splitlines()
        return [part.strip() for part in parts if part.strip()]


async def read_form(request: web.Request) -> Form:
    """Not by aiohttp's own `post`, which waits for ever and takes files. Raises CallctlError."""
    raw = await read_body(request, _MAX_FORM_BYTES)
    try:
        fields = parse_qsl(
            raw.decode(), max_num_fields=_MOST_FIELDS, errors="strict", keep_blank_values=True
        )
    except ValueError:
        raise CallctlError("malformed_request", "this is not a form") from None
    if any("\0" in name + value for name, value in fields):
        raise CallctlError("invalid_field", "holds a NUL character", field="form")
    return Form(fields)


class FileOfForm:
    """The file of a form, as an operation takes a CSV file for its body: read as it comes."""

    content_type = "text/csv"
    content_length = None

    def __init__(self, part: BodyPartReader) -> None:
        self._part = part

    @property
    def content(self) -> "FileOfForm":
        return self

    async def iter_any(self) -> AsyncIterator[bytes]:
        try:
            while chunk := await self._part.read_chunk():
                yield bytes(chunk)
        except _BROKEN as error:
            raise web.RequestPayloadError(str(error)) from None


async def read_upload(request: web.Request) -> tuple[Form, FileOfForm]:
    """A form with a file, which stands last in it. Raises CallctlError."""
    fields: list[tuple[str, str]] = []
    try:
        async with asyncio.timeout(_FIELDS_SECONDS):
            parts = await request.multipart()
            for _ in range(_MOST_BEFORE_FILE):
                part = await parts.next()
                if not isinstance(part, BodyPartReader):
                    break
                if part.filename:
                    return Form(fields), FileOfForm(part)
                fields.append((part.name or "", await _read_field(part)))
    except TimeoutError:
        raise CallctlError("request_timeout", "the form did not arrive in time") from None
    except _BROKEN:
        raise CallctlError("malformed_request", "this is no form with a file") from None
    raise CallctlError("invalid_field", "choose a file", field="form.file")


async def _read_field(part: BodyPartReader) -> str:
    raw = bytearray()
    while chunk := await part.read_chunk(_FIELD_BYTES):
        raw += chunk
        if len(raw) > _FIELD_BYTES or b"\0" in chunk:
            raise ValueError("no field of such a form")
    return raw.decode()


def local_path(text: str | None, otherwise: str = "/") -> str:
    """`text` if it is an address of this console, for going back to where one was."""
    if not text or not text.startswith("/") or text.startswith(("//", "/\\")):
        return otherwise
    return otherwise if any(c < " " or c == "\\" for c in text) else text
