"""Asterisk's manager interface: the connection, what is listened to, asked and ordered there."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from callctl.asterisk.ami import AmiClient
from callctl.asterisk.ami_protocol import AmiError, AmiEvent
from callctl.config import Settings
from callctl.features.calls.reader import JournalReader
from callctl.features.devices.service import EVENTS as DEVICE_EVENTS
from callctl.features.devices.service import DeviceService
from callctl.features.limits.service import LimitService, LiveChannel
from callctl.telemetry.log import get_logger
from callctl.telemetry.metrics import AMI_TROUBLE

log = get_logger("daemon")

HANGUP_SECONDS = 2.0


def read_ami_secret(settings: Settings) -> str:
    """The setting, or the file that is made with Asterisk's configuration; empty without both."""
    if settings.ami_secret:
        return settings.ami_secret
    try:
        return (settings.state_dir / "ami.secret").read_text().strip()
    except FileNotFoundError:
        return ""


def build_ami_client(settings: Settings) -> AmiClient:
    return AmiClient(
        settings.ami_host,
        settings.ami_port,
        settings.ami_user,
        read_ami_secret(settings),
        count=lambda what, reason: AMI_TROUBLE.labels(what, reason).inc(),
    )


def subscribe(
    ami: AmiClient,
    reader: Callable[[], JournalReader | None],
    limits: LimitService,
    devices: DeviceService,
) -> None:
    """Have the journal's reader told when Asterisk began, the limits when a channel is gone, the
    devices when an address has changed."""

    def booted(event: AmiEvent) -> None:
        _tell_boot(event, reader())

    def channel_gone(event: AmiEvent) -> None:
        limits.channel_gone(event.get("Uniqueid"))

    ami.subscribe(("FullyBooted",), booted, name="boot")
    ami.subscribe(("Hangup",), channel_gone, name="limits")
    ami.subscribe(DEVICE_EVENTS, devices.observe, name="devices")


def _tell_boot(event: AmiEvent, reader: JournalReader | None) -> None:
    """AMI greets with this at each login: what was open before Asterisk began is cut off."""
    uptime = event.fields.get("uptime", "")
    if reader is not None and uptime.isdecimal():
        began = datetime.now(UTC).timestamp() - int(uptime) - 1
        reader.asterisk_started(datetime.fromtimestamp(began, UTC))


async def list_channels(ami: AmiClient) -> list[LiveChannel] | None:
    """Asterisk's channels; None when it does not say, or says it in pieces."""
    try:
        response = await ami.action("CoreShowChannels")
    except AmiError:
        return None
    channels = [
        LiveChannel(
            event.get("Uniqueid"),
            event.get("Linkedid"),
            event.get("Channel").removeprefix("PJSIP/").rpartition("-")[0],
            event.get("Application"),
            event.get("Exten"),
        )
        for event in response.events
    ]
    whole = response.listed == len(channels) and all(c.uniqueid for c in channels)
    return channels if response.success and whole else None


async def end_after(ami: AmiClient, channel: str, seconds: float) -> bool:
    """Have Asterisk hang the channel up so long from now, instead of when it was told before.
    Whether it said that it will; False may also mean that nobody knows."""
    try:
        response = await ami.action(
            "AbsoluteTimeout", within=HANGUP_SECONDS, Channel=channel, Timeout=f"{seconds:.3f}"
        )
    except AmiError as error:
        log.warning("talk_end_not_changed", channel=channel, error=str(error))
        return False
    return response.success


async def hang_up(ami: AmiClient, channels: Sequence[str]) -> None:
    """All at once, since others that are too long wait meanwhile."""
    done = await asyncio.gather(
        *(
            ami.action("Hangup", within=HANGUP_SECONDS, Channel=channel, Cause="16")
            for channel in channels
        ),
        return_exceptions=True,
    )
    for channel, result in zip(channels, done, strict=True):
        if isinstance(result, BaseException):
            log.warning("not_hung_up", channel=channel, error=str(result))
