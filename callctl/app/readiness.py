"""What `/readyz` asks of the daemon's parts."""

from datetime import UTC, datetime

from callctl.app.services import Services
from callctl.http.health import ReadinessCheck


def readiness_checks(services: Services) -> tuple[ReadinessCheck, ...]:
    return (
        ReadinessCheck("database", services.db.check),
        ReadinessCheck("routing", lambda: _check_routing(services)),
        ReadinessCheck("ami", lambda: _check_ami(services), required=False),
        ReadinessCheck("journal", lambda: _check_journal(services), required=False),
        ReadinessCheck("alarms", services.alarms.check_ready, required=False),
    )


async def _check_routing(services: Services) -> None:
    if not services.loaded:
        raise RuntimeError("the routing is not loaded yet; calls use the fallback dialplan")


async def _check_ami(services: Services) -> None:
    state = services.ami.state
    if not state.connected:
        since = datetime.fromtimestamp(state.since, UTC).isoformat(timespec="seconds")
        raise RuntimeError(f"not connected since {since}: {state.reason}")


async def _check_journal(services: Services) -> None:
    if services.reader is None:
        raise RuntimeError("waits for the database")
    if services.reader.problem is not None:
        raise RuntimeError(services.reader.problem)
