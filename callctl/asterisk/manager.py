"""The AMI client as features see it: what each method raises stands there."""

from typing import Protocol

from callctl.asterisk.ami import AmiState
from callctl.asterisk.ami_protocol import AmiResponse


class Manager(Protocol):
    """What asks and tells Asterisk something."""

    @property
    def state(self) -> AmiState: ...

    async def action(
        self, name: str, *, within: float | None = None, **fields: str
    ) -> AmiResponse: ...


class Originator(Protocol):
    """What places a call."""

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
