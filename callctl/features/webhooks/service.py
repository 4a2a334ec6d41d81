"""Webhooks of an account: made, changed, tried again."""

import secrets
from datetime import timedelta

from msgspec import structs

from callctl.core.errors import CallctlError
from callctl.core.event_kinds import EVENT_SCOPES, EventKind
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
from callctl.features.webhooks.store import WebhookStore
from callctl.features.webhooks.targets import Targets
from callctl.http.endpoint import Actor, Page

MOST_WEBHOOKS = 20
MOST_REPLAYED = 10_000
OVERLAP = timedelta(days=1)
"""So long both secrets sign after a rotation."""


class WebhookService:
    """Every method raises CallctlError("not_found") for another account's webhook, and "forbidden"
    for somebody who may not see all that webhooks are told."""

    def __init__(self, store: WebhookStore, targets: Targets) -> None:
        self._store = store
        self._targets = targets

    async def list_webhooks(self, actor: Actor, filters: WebhookFilters) -> Page[WebhookView]:
        _check_sees_all(actor)
        return await self._store.list_webhooks(actor.account_id, filters.cursor, filters.limit)

    async def get_webhook(self, actor: Actor, webhook: int) -> WebhookView:
        _check_sees_all(actor)
        found = await self._store.get_webhook(actor.account_id, webhook)
        if found is None:
            raise CallctlError("not_found", f"there is no webhook {webhook}")
        return found

    async def create(self, actor: Actor, new: NewWebhook) -> WebhookSecret:
        """Its secret is shown this once. Raises CallctlError: `invalid_field` for a target that is
        not allowed, `conflict` for too many."""
        _check_sees_all(actor)
        self._targets.check_url(new.url)
        new = structs.replace(new, kinds=_checked(actor, new.kinds))
        secret = new_secret()
        id_ = await self._store.insert_webhook(
            actor.account_id, actor.author, new, secret, MOST_WEBHOOKS
        )
        return WebhookSecret(await self.get_webhook(actor, id_), secret)

    async def change(self, actor: Actor, webhook: int, change: WebhookChange) -> WebhookView:
        """Raises CallctlError("invalid_field") for a target that is not allowed."""
        await self.get_webhook(actor, webhook)
        if change.url is not None:
            self._targets.check_url(change.url)
        kinds = None
        if change.kinds is not None:
            kinds = [kind.value for kind in _checked(actor, change.kinds)]
        await self._store.change_webhook(
            actor.account_id, actor.author, webhook, change.url, kinds, change.active
        )
        return await self.get_webhook(actor, webhook)

    async def rotate_secret(self, actor: Actor, webhook: int) -> WebhookSecret:
        """A new secret; the former one signs, too, for a day."""
        await self.get_webhook(actor, webhook)
        secret = new_secret()
        await self._store.rotate_secret(actor.account_id, actor.author, webhook, secret, OVERLAP)
        return WebhookSecret(await self.get_webhook(actor, webhook), secret)

    async def delete(self, actor: Actor, webhook: int) -> None:
        """With all that waits and the log of what was sent."""
        await self.get_webhook(actor, webhook)
        await self._store.delete_webhook(actor.account_id, actor.author, webhook)

    async def list_deliveries(
        self, actor: Actor, webhook: int, filters: DeliveryFilters
    ) -> Page[DeliveryView]:
        await self.get_webhook(actor, webhook)
        return await self._store.list_deliveries(actor.account_id, webhook, filters)

    async def replay(self, actor: Actor, webhook: int, asked: Replay) -> Replayed:
        """Raises CallctlError: `invalid_field` unless a delivery or a period is given, `not_found`
        for a delivery that is none or still waits, `conflict` for too many events."""
        hook = await self.get_webhook(actor, webhook)
        period = asked.since is not None or asked.until is not None
        if (asked.delivery is not None) == period:
            raise CallctlError("invalid_field", "give a delivery or a period", "body.delivery")
        if asked.delivery is not None:
            done = await self._store.replay_one(
                actor.account_id, actor.author, webhook, asked.delivery
            )
            if not done:
                raise CallctlError("not_found", f"no delivery {asked.delivery} that is over")
            return Replayed(done)
        if asked.since and asked.until and asked.since > asked.until:
            raise CallctlError("invalid_field", "the period ends before it starts", "body.until")
        return Replayed(
            await self._store.replay_period(
                actor.account_id, actor.author, hook, asked.since, asked.until, MOST_REPLAYED
            )
        )


def new_secret() -> str:
    return "whsec_" + secrets.token_urlsafe(32)


def _checked(actor: Actor, kinds: list[EventKind]) -> list[EventKind]:
    for kind in kinds:
        if EVENT_SCOPES[kind] not in actor.scopes:
            scope = EVENT_SCOPES[kind].value
            raise CallctlError("forbidden", f"{kind.value} needs the scope {scope}", detail=scope)
    return list(dict.fromkeys(kinds))


def _check_sees_all(actor: Actor) -> None:
    """A webhook is told of all calls of the account."""
    if actor.extensions is not None:
        raise CallctlError("forbidden", "webhooks are for who may see all calls of the account")
