"""What Asterisk's manager says to who pauses recordings, from real answers of Asterisk 22."""

from dataclasses import dataclass, field

from callctl.asterisk.ami import AmiState
from callctl.asterisk.ami_protocol import AmiEvent, AmiNotConnected, AmiResponse
from callctl.features.recordings.live import EndpointOwner


@dataclass
class Manager:
    """Channels by name → (unique id, linked id); those in `recorded` have a MixMonitor."""

    connected: bool = True
    channels: dict[str, tuple[str, str]] = field(default_factory=dict)
    recorded: set[str] = field(default_factory=set)
    owners: dict[str, EndpointOwner] = field(default_factory=dict)
    refuses: bool = False
    muted: list[tuple[str, str]] = field(default_factory=list)

    def owner_of(self, endpoint: str) -> EndpointOwner | None:
        return self.owners.get(endpoint)

    @property
    def state(self) -> AmiState:
        return AmiState(self.connected, 0.0, "")

    async def action(self, name: str, *, within: float | None = None, **fields: str) -> AmiResponse:
        if not self.connected:
            raise AmiNotConnected("gone")
        match name:
            case "CoreShowChannels":
                events = tuple(
                    AmiEvent(
                        "CoreShowChannel",
                        {"channel": channel, "uniqueid": ids[0], "linkedid": ids[1]},
                        {},
                    )
                    for channel, ids in self.channels.items()
                )
                return AmiResponse(True, "", {}, events=events)
            case "Getvar":
                value = "/spool/x.raw" if fields["Channel"] in self.recorded else ""
                return AmiResponse(True, "", {"value": value})
            case "MixMonitorMute":
                if self.refuses:
                    return AmiResponse(False, "Channel not found", {})
                self.muted.append((fields["Channel"], fields["State"]))
                return AmiResponse(True, "", {})
        raise AssertionError(name)
