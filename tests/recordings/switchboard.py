"""Asterisk's side of the manager interface, as far as pausing recordings goes."""

from dataclasses import dataclass, field

from callctl.features.recordings.live import EndpointOwner
from tests.wire.peers import AmiPeer


@dataclass
class Switchboard:
    """Channels by name → (unique id, linked id); those in `recorded` have a MixMonitor."""

    channels: dict[str, tuple[str, str]] = field(default_factory=dict)
    recorded: set[str] = field(default_factory=set)
    owners: dict[str, EndpointOwner] = field(default_factory=dict)
    refuses: bool = False
    muted: list[tuple[str, str]] = field(default_factory=list)

    def owner_of(self, endpoint: str) -> EndpointOwner | None:
        return self.owners.get(endpoint)

    async def script(self, peer: AmiPeer) -> None:
        await peer.log_in()
        while True:
            action = await peer.action()
            match action["Action"]:
                case "CoreShowChannels":
                    self._list(peer, action)
                case "Getvar":
                    recorded = action["Channel"] in self.recorded
                    value = "/spool/x.raw" if recorded else ""
                    peer.answer(action, "Variable: MIXMONITOR_FILENAME", f"Value: {value}")
                case "MixMonitorMute" if self.refuses:
                    peer.answer(action, "Message: Cannot set mute flag", response="Error")
                case "MixMonitorMute":
                    self.muted.append((action["Channel"], action["State"]))
                    peer.answer(action)
                case _:
                    peer.answer(action)

    def _list(self, peer: AmiPeer, action: dict[str, str]) -> None:
        tag = f"ActionID: {action['ActionID']}"
        peer.answer(action, "EventList: start", "Message: Channels will follow")
        for name, (uniqueid, linkedid) in self.channels.items():
            ids = (f"Uniqueid: {uniqueid}", f"Linkedid: {linkedid}")
            peer.event("CoreShowChannel", tag, f"Channel: {name}", *ids)
        count = f"ListItems: {len(self.channels)}"
        peer.event("CoreShowChannelsComplete", tag, "EventList: Complete", count)
