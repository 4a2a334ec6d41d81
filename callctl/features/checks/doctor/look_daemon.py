"""The daemon from outside: its lock, its FastAGI port, its HTTP port."""

import asyncio
import re
import socket
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from callctl.config import Settings
from callctl.features.checks.doctor.model import DaemonState, Missing

SECONDS = 3.0
_PING = (
    b"agi_network: yes\nagi_network_script: ping\nagi_request: agi://callctl/ping\n"
    b"agi_channel: PJSIP/doctor-00000000\nagi_language: en\nagi_type: PJSIP\n"
    b"agi_uniqueid: doctor\nagi_version: doctor\nagi_callerid: unknown\n"
    b"agi_calleridname: unknown\nagi_callingpres: 0\nagi_callingani2: 0\nagi_callington: 0\n"
    b"agi_callingtns: 0\nagi_dnid: unknown\nagi_rdnis: unknown\nagi_context: doctor\n"
    b"agi_extension: s\nagi_priority: 1\nagi_enhanced: 0.0\nagi_accountcode: \n"
    b"agi_threadid: 0\n\n"
)
"""Every line that Asterisk sends: the server waits for no fewer."""
_PONG = re.compile(rb'SET VARIABLE CALLCTL_PONG "([^"]*)"\n')


async def look_at_daemon(settings: Settings) -> DaemonState:
    """Never raises for what a network can do."""
    running = is_locked(settings.state_dir / f"{settings.systemname}.lock")
    agi, (http, checks) = await asyncio.gather(ask_agi(settings), _ask_http(settings))
    ours = running or not isinstance(agi, Missing)
    return DaemonState(running, agi, http, checks, () if ours else tuple(_taken(settings)))


def is_locked(lock: Path) -> bool:
    """Whether a process holds it (proc(5), locks). Taking it to see would stop a daemon's start."""
    try:
        inode = str(lock.stat().st_ino)
        locks = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return False
    held = (line.split() for line in locks if "->" not in line)
    return any(f[1] == "FLOCK" and f[5].rpartition(":")[2] == inode for f in held)


async def ask_agi(settings: Settings) -> str | Missing:
    """What the daemon says of itself to Asterisk's `ping`, or why it says nothing."""
    writer = None
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection(
                reachable(settings.agi_host), settings.agi_port
            )
            writer.write(_PING)
            line = await reader.readline()
            pong = _PONG.fullmatch(line)
            if pong is None:
                return Missing("it answers, but does not say what it is")
            writer.write(b"200 result=1\n")
            await writer.drain()
            return pong[1].decode("utf-8", "replace")
    except TimeoutError:
        return Missing(f"it accepts, but does not answer in {SECONDS:.0f} s")
    except (OSError, ValueError) as problem:
        return Missing(str(problem) or type(problem).__name__)
    finally:
        if writer is not None:
            writer.close()


async def _ask_http(
    settings: Settings,
) -> tuple[str | Missing, Mapping[str, tuple[bool, str]]]:
    if settings.http_port == 0:
        return Missing("http_port is 0: any free one"), {}
    url = f"http://{_bracketed(reachable(settings.http_host))}:{settings.http_port}/readyz"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2 * SECONDS)) as session,
            session.get(url) as response,
        ):
            body = await response.json()
        checks = {
            str(name): (bool(check["ready"]), str(check.get("message", "")))
            for name, check in body["checks"].items()
        }
    except (OSError, TimeoutError, aiohttp.ClientError) as problem:
        return Missing(str(problem) or type(problem).__name__), {}
    except (ValueError, KeyError, TypeError, AttributeError):
        return Missing(f"what answers at {url} is not callctl"), {}
    return url, checks


def reachable(host: str) -> str:
    """An address to connect to, for one to listen on."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _taken(settings: Settings) -> list[str]:
    """Ports that the daemon needs and could not have."""
    wanted = {
        "agi_port": (settings.agi_host, settings.agi_port),
        "http_port": (settings.http_host, settings.http_port),
    }
    return [
        f"{name} {host}:{port}: {why}"
        for name, (host, port) in wanted.items()
        if port and (why := _why_not(host, port))
    ]


def _why_not(host: str, port: int) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            return problem.strerror or str(problem)
    return ""
