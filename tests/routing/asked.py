"""How the tests ask the service: for a way, or for what it refuses."""

from datetime import UTC, datetime

import pytest

from callctl.core.errors import CallctlError

NOW = datetime(2026, 7, 6, 10, 0, tzinfo=UTC)


def decide(service, endpoint, dialled, caller="+36201234567", uniqueid="1.1", now=NOW, **options):
    values = {"caller_name": "", "withheld": False} | options
    return service.decide(
        endpoint=endpoint,
        uniqueid=uniqueid,
        dialled=dialled,
        caller_number=caller,
        now=now,
        **values,
    )


async def refused(coroutine) -> CallctlError:
    with pytest.raises(CallctlError) as caught:
        await coroutine
    return caught.value
