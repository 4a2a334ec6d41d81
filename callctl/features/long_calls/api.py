"""``/api/v1/too-long``: thresholds of the account."""

from callctl.core.permissions import Scope
from callctl.features.long_calls.model import TooLongRule, TooLongSettings
from callctl.features.long_calls.service import LongCallService
from callctl.http.endpoint import ApiCall, Endpoint

_PATH = "/api/v1/too-long"
_EXAMPLE = TooLongSettings(
    [
        TooLongRule(3600),
        TooLongRule(cost=50_000),
        TooLongRule(600, direction="outbound", prefix="+3690", hang_up=True),
    ],
    ["boss@example.org"],
)


def endpoints(service: LongCallService) -> list[Endpoint]:
    async def get(call: ApiCall) -> object:
        return await service.get_settings(call.actor.account_id)

    async def put(call: ApiCall) -> object:
        return await service.save_settings(call.actor.account_id, call.body, call.actor.author)

    return [
        Endpoint(
            "GET", _PATH, "From when on a call is too long, and who is told", "notices",
            Scope.THRESHOLDS_WRITE, get, TooLongSettings,
        ),
        Endpoint(
            "PUT", _PATH, "Set from when on a call is too long, and who is told", "notices",
            Scope.THRESHOLDS_WRITE, put, TooLongSettings, body=TooLongSettings,
            body_example=_EXAMPLE,
        ),
    ]  # fmt: skip
