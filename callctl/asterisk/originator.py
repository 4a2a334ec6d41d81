"""What places a call, as those who have calls placed see it."""

from typing import Protocol

from callctl.asterisk.ami import AmiState
from callctl.asterisk.ami_protocol import AmiResponse


class Originator(Protocol):
    """What they need of the AMI client; what each raises stands there."""

    @property
    def state(self) -> AmiState: ...

    async def originate(
        self,
        *,
        channel: str,
        context: str,
        exten: str,
        variables: dict[str, str],
        caller_id: str = "",
        ring_seconds: int = 30,
    ) -> AmiResponse: ...
