"""``/api/v1/spend``: the account's money for calls; who below may spend what it does not have."""

from callctl.core.permissions import Scope
from callctl.features.spend.model import SpendSettings, SpendView
from callctl.features.spend.service import SpendService
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Endpoint

_TAG = "spend"
_SETTINGS = "/api/v1/accounts/{id}/spend"
_EXAMPLE = SpendSettings("postpaid", 5_000_000)


def endpoints(service: SpendService) -> list[Endpoint]:
    async def status(call: ApiCall) -> object:
        return service.status(call.actor.calls)

    async def get_settings(call: ApiCall) -> object:
        return await service.get_settings(call.actor.account_id, path_id(call.path))

    async def save_settings(call: ApiCall) -> object:
        actor, account_id = call.actor, path_id(call.path)
        return await service.save_settings(
            actor.account_id, account_id, call.body, actor.author, call.request_key
        )

    found = ("not_found",)
    return [
        Endpoint(
            "GET", "/api/v1/spend", "The money for calls, and what running ones have reserved",
            _TAG, Scope.RATES_READ, status, SpendView, errors=found,
        ),
        Endpoint(
            "GET", _SETTINGS, "Whether an account pays beforehand or afterwards", _TAG,
            Scope.ACCOUNTS_READ, get_settings, SpendSettings, errors=found,
        ),
        Endpoint(
            "PUT", _SETTINGS, "Have an account below pay beforehand or afterwards", _TAG,
            Scope.ACCOUNTS_WRITE, save_settings, SpendSettings, body=SpendSettings,
            body_example=_EXAMPLE, errors=("not_found", "conflict"), idempotent=True,
        ),
    ]  # fmt: skip
