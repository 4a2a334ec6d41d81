"""HTTP: the API's operations, the console's pages."""

import os
from typing import Any

from aiohttp import web

import callctl.features.access.api
import callctl.features.accounts.api
import callctl.features.audit.api
import callctl.features.calls.api
import callctl.features.checks.api
import callctl.features.clients.api
import callctl.features.devices.api
import callctl.features.events.api
import callctl.features.exports.api
import callctl.features.interventions.api
import callctl.features.ledger.api
import callctl.features.limits.api
import callctl.features.long_calls.api
import callctl.features.notices.api
import callctl.features.originate.api
import callctl.features.packages.api
import callctl.features.payments.api
import callctl.features.people.api
import callctl.features.rates.api
import callctl.features.recordings.api
import callctl.features.reports.api
import callctl.features.routing.api
import callctl.features.spend.api
import callctl.features.transfers.api
import callctl.features.webhooks.api
import callctl.features.workplaces.api
from callctl.app.readiness import readiness_checks
from callctl.app.services import Services
from callctl.config import Settings, networks_of
from callctl.console.console import Console
from callctl.console.setting_rows import setting_rows
from callctl.db.pool import Database
from callctl.features.payments.provider import NoProvider
from callctl.http.auth import Origin
from callctl.http.endpoint import Endpoint
from callctl.http.health import health_endpoints
from callctl.http.openapi import build_openapi
from callctl.http.server import build_web_app


def list_endpoints(services: Services) -> list[Endpoint]:
    """Every operation of the API, by feature."""
    origin = _origin(services.settings)
    return [
        *callctl.features.calls.api.endpoints(services.calls),
        *callctl.features.clients.api.endpoints(services.db),
        *callctl.features.reports.api.endpoints(services.reports),
        *callctl.features.rates.api.endpoints(
            services.tariffs, services.tariff_assignments, services.quotes
        ),
        *callctl.features.exports.api.endpoints(services.exports),
        *callctl.features.originate.api.endpoints(services.originate),
        *callctl.features.recordings.api.endpoints(
            services.library, services.retention, services.live_recordings, origin
        ),
        *callctl.features.routing.api.endpoints(services.routing),
        *services.numbers.endpoints(),
        *callctl.features.limits.api.endpoints(services.limits),
        *callctl.features.spend.api.endpoints(services.spend),
        *callctl.features.events.api.endpoints(services.live, services.events),
        *callctl.features.devices.api.endpoints(services.devices),
        *callctl.features.workplaces.api.endpoints(services.workplaces),
        *callctl.features.interventions.api.endpoints(services.interventions),
        *callctl.features.webhooks.api.endpoints(services.webhooks),
        *callctl.features.notices.api.endpoints(services.notices),
        *callctl.features.long_calls.api.endpoints(services.long_calls),
        *callctl.features.access.api.endpoints(services.access, origin),
        *callctl.features.people.api.endpoints(
            services.users, services.groups, services.invitations
        ),
        *callctl.features.accounts.api.endpoints(services.accounts),
        *callctl.features.packages.api.endpoints(services.packages),
        *callctl.features.ledger.api.endpoints(services.ledger),
        *callctl.features.transfers.api.endpoints(services.transfers),
        *callctl.features.payments.api.endpoints(services.payments, services.invoices),
        *callctl.features.audit.api.endpoints(services.audit),
        *callctl.features.checks.api.endpoints(services.alarms),
    ]


def openapi_document() -> dict[str, Any]:
    """The API's document, without a database, an Asterisk or a running daemon."""
    services = Services(Settings(), Database(None))
    return build_openapi([*list_endpoints(services), *health_endpoints(())])


def build_web(services: Services) -> web.Application:
    """API, console and health, behind one door."""
    origin = _origin(services.settings)
    endpoints = list_endpoints(services)
    console = Console(
        services.access,
        endpoints,
        origin=origin,
        invited=services.invitations.look,
        alarms=lambda: services.alarms.raised,
        setting_rows=setting_rows(services.settings, os.environ),
        pays_online=not isinstance(services.payments.provider, NoProvider),
    )
    return build_web_app(
        endpoints,
        services.access,
        origin=origin,
        checks=readiness_checks(services),
        pages=console.routes(),
        error_page=console.error_page,
    )


def _origin(settings: Settings) -> Origin:
    return Origin(settings.http_public_url, networks_of(settings.http_proxies))
