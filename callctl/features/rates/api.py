"""``/api/v1/tariffs``, ``/api/v1/tariff-assignments``, ``/api/v1/rates``."""

import asyncio
import hashlib
import tempfile
from datetime import UTC, datetime

from aiohttp import web

from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.db.idempotency import with_file
from callctl.features.rates.assignments import AssignmentService
from callctl.features.rates.cells import MAX_BYTES
from callctl.features.rates.model import (
    ApplyImport,
    AssignmentFilters,
    AssignmentItem,
    ImportOptions,
    ImportPreview,
    NewAssignment,
    NewTariff,
    OwnRateFilters,
    PreviewFilters,
    QuoteLine,
    QuoteQuery,
    QuoteView,
    RateFilters,
    RateItem,
    TariffChange,
    TariffFilters,
    TariffItem,
    VersionChoice,
    VersionItem,
)
from callctl.features.rates.quoting import QuoteService
from callctl.features.rates.service import TariffService
from callctl.http.decode import path_id, save_body
from callctl.http.endpoint import ApiCall, Empty, Endpoint, Page

_TAG = "rates"
_READ, _WRITE = Scope.RATES_READ, Scope.RATES_WRITE
_TARIFFS = "/api/v1/tariffs"
_ONE = f"{_TARIFFS}/{{id}}"
_IMPORTS = f"{_ONE}/imports"
_IMPORT = f"{_IMPORTS}/{{import_id}}"

_RATE = RateItem("3620", "", "Hungary mobile", 1_200_000_000, 60, 500_000_000, 0, 6, 0)
_QUOTE = QuoteView(
    "+36201234567",
    95,
    datetime(2026, 11, 22, 8, 0, tzinfo=UTC),
    [
        QuoteLine(
            "price", 3, None, None, 2, _RATE, 95, 0, 96, 2420, "HUF", None,
            "prefix 3620 (Hungary mobile): 95 s of talk count as 96 s at 12 HUF per 60 s, "
            "and 5 HUF to connect: 24.20 HUF",
        )
    ],
)  # fmt: skip


def endpoints(
    tariffs: TariffService, assignments: AssignmentService, quotes: QuoteService
) -> list[Endpoint]:
    return [
        *_tariff_endpoints(tariffs),
        *_import_endpoints(tariffs),
        *_assignment_endpoints(assignments),
        *_quote_endpoints(quotes),
    ]


def _tariff_endpoints(service: TariffService) -> list[Endpoint]:
    async def list_(call: ApiCall) -> object:
        return await service.list_tariffs(call.actor, call.query)

    async def get(call: ApiCall) -> object:
        return await service.get_tariff(call.actor, path_id(call.path))

    async def create(call: ApiCall) -> object:
        return await service.create_tariff(call.actor, call.body, call.request_key)

    async def rename(call: ApiCall) -> object:
        tariff_id = path_id(call.path)
        return await service.rename_tariff(call.actor, tariff_id, call.body, call.request_key)

    async def versions(call: ApiCall) -> object:
        return await service.list_versions(call.actor, path_id(call.path))

    async def rates(call: ApiCall) -> object:
        return await service.list_rates(call.actor, path_id(call.path), call.query)

    async def export(call: ApiCall) -> object:
        pieces = service.export_rates(call.actor, path_id(call.path), call.query.version)
        # Before the answer begins, so that what is not found is told as such.
        heading = await anext(pieces)
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/csv; charset=utf-8",
                "Content-Disposition": 'attachment; filename="rates.csv"',
            }
        )
        await response.prepare(call.raw)
        if call.raw.method != "HEAD":
            await response.write(heading)
            async for piece in pieces:
                await response.write(piece)
        await response.write_eof()
        return response

    return [
        Endpoint(
            "GET", _TARIFFS, "Price lists: for accounts below, and carriers' own", _TAG, _READ,
            list_, Page[TariffItem], query=TariffFilters,
        ),
        Endpoint(
            "POST", _TARIFFS, "Make a price list; its rates are imported", _TAG, _WRITE, create,
            TariffItem, body=NewTariff, body_example=NewTariff("Retail", "HUF", "Europe/Budapest"),
            status=201, errors=("already_exists",), idempotent=True,
        ),
        Endpoint("GET", _ONE, "One price list", _TAG, _READ, get, TariffItem,
                 errors=("not_found",)),
        Endpoint(
            "PATCH", _ONE, "Rename a price list", _TAG, _WRITE, rename, TariffItem,
            body=TariffChange, body_example=TariffChange("Retail 2027"),
            errors=("not_found", "already_exists"), idempotent=True,
        ),
        Endpoint(
            "GET", f"{_ONE}/versions", "Its versions, the latest first", _TAG, _READ, versions,
            Page[VersionItem], errors=("not_found",),
        ),
        Endpoint(
            "GET", f"{_ONE}/rates", "The rates of a version, by prefix", _TAG, _READ, rates,
            Page[RateItem], query=RateFilters, example=Page([_RATE], None), errors=("not_found",),
        ),
        Endpoint(
            "GET", f"{_ONE}/rates.csv", "The rates of a version as CSV", _TAG, _READ, export,
            web.StreamResponse, query=VersionChoice, content_type="text/csv",
            errors=("not_found",),
        ),
    ]  # fmt: skip


def _import_endpoints(service: TariffService) -> list[Endpoint]:
    async def upload(call: ApiCall) -> object:
        if call.raw.content_type != "text/csv":
            words = f"expected text/csv, not {call.raw.content_type}"
            raise CallctlError("unsupported_media_type", words)
        tariff_id = path_id(call.path)
        await service.get_tariff(call.actor, tariff_id)
        # First to disk: no transaction waits for a slow client.
        with tempfile.TemporaryFile() as file:
            await save_body(call.raw, file, MAX_BYTES)
            file.seek(0)
            sha256 = await asyncio.to_thread(hashlib.file_digest, file, "sha256")
            key = with_file(call.request_key, sha256.digest())
            file.seek(0)
            return await service.upload(call.actor, tariff_id, file, call.query, key)

    async def get(call: ApiCall) -> object:
        return await service.get_import(call.actor, *_ids(call), call.query)

    async def apply(call: ApiCall) -> object:
        return await service.apply(call.actor, *_ids(call), call.body, call.request_key)

    async def discard(call: ApiCall) -> object:
        return await service.discard(call.actor, *_ids(call), call.request_key)

    found = ("not_found",)
    return [
        Endpoint(
            "POST", _IMPORTS, "Upload rates as CSV: tells what would change, and changes nothing",
            _TAG, _WRITE, upload, ImportPreview, query=ImportOptions, status=201,
            errors=("not_found", "invalid_import", "unsupported_media_type", "body_too_large",
                    "request_timeout"),
            idempotent=True,
        ),
        Endpoint("GET", _IMPORT, "What applying an import would change", _TAG, _READ, get,
                 ImportPreview, query=PreviewFilters, errors=found),
        Endpoint(
            "POST", f"{_IMPORT}/apply", "Make exactly that the next version", _TAG, _WRITE, apply,
            VersionItem, body=ApplyImport, errors=("not_found", "conflict"), idempotent=True,
            body_example=ApplyImport(datetime(2027, 1, 1, tzinfo=UTC)),
        ),
        Endpoint("DELETE", _IMPORT, "Forget an import", _TAG, _WRITE, discard, Empty, status=204,
                 errors=found, idempotent=True),
    ]  # fmt: skip


def _ids(call: ApiCall) -> tuple[int, int]:
    return path_id(call.path), path_id(call.path, "import_id")


def _assignment_endpoints(service: AssignmentService) -> list[Endpoint]:
    async def list_(call: ApiCall) -> object:
        return await service.list_assignments(call.actor, call.query)

    async def assign(call: ApiCall) -> object:
        return await service.assign(call.actor, call.body, call.request_key)

    path = "/api/v1/tariff-assignments"
    return [
        Endpoint(
            "GET", path, "Who pays by which price list, from when on", _TAG, _READ, list_,
            Page[AssignmentItem], query=AssignmentFilters,
        ),
        Endpoint(
            "POST", path, "Let an account below, or one's own carrier, be paid by a price list",
            _TAG, _WRITE, assign, AssignmentItem, body=NewAssignment,
            body_example=NewAssignment(3, 7), status=201, errors=("not_found", "conflict"),
            idempotent=True,
        ),
    ]  # fmt: skip


def _quote_endpoints(service: QuoteService) -> list[Endpoint]:
    async def own_rates(call: ApiCall) -> object:
        return await service.own_rates(call.actor, call.query)

    async def quote(call: ApiCall) -> object:
        return await service.quote(call.actor, call.query)

    return [
        Endpoint(
            "GET", "/api/v1/rates", "What one's own account pays its seller now", _TAG, _READ,
            own_rates, Page[RateItem], query=OwnRateFilters, example=Page([_RATE], None),
        ),
        Endpoint(
            "GET", "/api/v1/rates/quote", "What a call would cost, and why", _TAG, _READ, quote,
            QuoteView, query=QuoteQuery, example=_QUOTE, errors=("not_found",),
        ),
    ]  # fmt: skip
