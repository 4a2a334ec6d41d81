"""``/api/v1/webhooks``."""

from datetime import UTC, datetime

from callctl.core.event_kinds import EventKind
from callctl.core.permissions import Scope
from callctl.features.webhooks.model import (
    DeliveryFilters,
    DeliveryView,
    NewWebhook,
    Replay,
    Replayed,
    WebhookChange,
    WebhookFilters,
    WebhookSecret,
    WebhookView,
)
from callctl.features.webhooks.service import WebhookService
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Empty, Endpoint, Page

_TAG = "webhooks"
_PATH = "/api/v1/webhooks"
_NEW = NewWebhook("https://crm.example.org/callctl", [EventKind.CALL_ENDED, EventKind.CALL_MISSED])
_REPLAY = Replay(since=datetime(2026, 11, 22, tzinfo=UTC), until=datetime(2026, 11, 23, tzinfo=UTC))


def endpoints(service: WebhookService) -> list[Endpoint]:
    async def list_webhooks(call: ApiCall) -> object:
        return await service.list_webhooks(call.actor, call.query)

    async def create(call: ApiCall) -> object:
        return await service.create(call.actor, call.body)

    async def get(call: ApiCall) -> object:
        return await service.get_webhook(call.actor, path_id(call.path))

    async def change(call: ApiCall) -> object:
        return await service.change(call.actor, path_id(call.path), call.body)

    async def delete(call: ApiCall) -> object:
        await service.delete(call.actor, path_id(call.path))
        return Empty()

    async def rotate(call: ApiCall) -> object:
        return await service.rotate_secret(call.actor, path_id(call.path))

    async def deliveries(call: ApiCall) -> object:
        return await service.list_deliveries(call.actor, path_id(call.path), call.query)

    async def replay(call: ApiCall) -> object:
        return await service.replay(call.actor, path_id(call.path), call.body)

    scope, one = Scope.WEBHOOKS_WRITE, f"{_PATH}/{{id}}"
    found = ("not_found",)
    return [
        Endpoint(
            "GET", _PATH, "The account's webhooks", _TAG, scope, list_webhooks, Page[WebhookView],
            query=WebhookFilters,
        ),
        Endpoint(
            "POST", _PATH, "Send events to another program; the answer holds the secret, once",
            _TAG, scope, create, WebhookSecret, body=NewWebhook, body_example=_NEW,
            status=201, errors=("conflict",),
        ),
        Endpoint("GET", one, "One webhook", _TAG, scope, get, WebhookView, errors=found),
        Endpoint(
            "PATCH", one, "Change a webhook, or go on after a pause", _TAG, scope, change,
            WebhookView, body=WebhookChange, body_example=WebhookChange(active=True), errors=found,
        ),
        Endpoint(
            "DELETE", one, "Delete a webhook and its deliveries", _TAG, scope, delete, Empty,
            status=204, errors=found,
        ),
        Endpoint(
            "POST", f"{one}/rotate-secret", "A new secret; for a day both sign", _TAG, scope,
            rotate, WebhookSecret, errors=found,
        ),
        Endpoint(
            "GET", f"{one}/deliveries", "What was sent and what waits, the newest first", _TAG,
            scope, deliveries, Page[DeliveryView], query=DeliveryFilters, errors=found,
        ),
        Endpoint(
            "POST", f"{one}/replay", "Send events again: one, or those of a period", _TAG, scope,
            replay, Replayed, body=Replay, body_example=_REPLAY, errors=("not_found", "conflict"),
        ),
    ]  # fmt: skip
