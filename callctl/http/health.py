"""What supervisors and monitors ask: alive, ready, metrics."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec
from aiohttp import web

from callctl.core.errors import CallctlError
from callctl.http.endpoint import ApiCall, Endpoint
from callctl.telemetry.metrics import render_metrics

_CHECK_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class ReadinessCheck:
    """One line of `/readyz`. `check` returns when all is well and raises when it is not.

    The words of a RuntimeError are shown: with it a check says why. Of other errors only the
    code or the kind is, since whoever asks need not be known.

    One that is not `required` is shown, but does not make the daemon unready: without Asterisk's
    manager interface, for one, calls and the history go on.
    """

    name: str
    check: Callable[[], Awaitable[object]]
    required: bool = True


class Liveness(msgspec.Struct, frozen=True):
    alive: bool


class CheckState(msgspec.Struct, frozen=True, omit_defaults=True):
    ready: bool
    required: bool
    message: str | None = None


class Readiness(msgspec.Struct, frozen=True):
    """`ready` is false as soon as one required check is."""

    ready: bool
    checks: dict[str, CheckState]


def health_endpoints(checks: Sequence[ReadinessCheck]) -> list[Endpoint]:
    """`/healthz`, `/readyz`, `/metrics`: open to all, since they tell nothing of any call."""

    async def healthz(_call: ApiCall) -> Liveness:
        return Liveness(alive=True)

    async def readyz(_call: ApiCall) -> web.Response:
        readiness = await check_readiness(checks)
        return web.Response(
            body=msgspec.json.encode(readiness),
            status=200 if readiness.ready else 503,
            content_type="application/json",
        )

    async def metrics(_call: ApiCall) -> web.Response:
        return web.Response(body=render_metrics(), content_type="text/plain", charset="utf-8")

    return [
        Endpoint("GET", "/healthz", "The process answers", "system", None, healthz, Liveness),
        Endpoint(
            "GET",
            "/readyz",
            "Everything it needs is there; 503 with the same body when it is not",
            "system",
            None,
            readyz,
            Readiness,
        ),
        Endpoint(
            "GET",
            "/metrics",
            "Prometheus metrics",
            "system",
            None,
            metrics,
            web.StreamResponse,
            content_type="text/plain",
        ),
    ]


async def check_readiness(checks: Sequence[ReadinessCheck]) -> Readiness:
    """Run all checks at once, each for three seconds at most."""
    states = await asyncio.gather(*(_state_of(check) for check in checks))
    return Readiness(
        ready=all(state.ready or not state.required for state in states),
        checks={check.name: state for check, state in zip(checks, states, strict=True)},
    )


async def _state_of(check: ReadinessCheck) -> CheckState:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check.check()
    except CallctlError as error:
        return CheckState(False, check.required, error.code)
    except TimeoutError:
        return CheckState(False, check.required, "no answer in time")
    except RuntimeError as error:
        return CheckState(False, check.required, str(error))
    except Exception as error:
        return CheckState(False, check.required, type(error).__name__)
    return CheckState(True, check.required)
