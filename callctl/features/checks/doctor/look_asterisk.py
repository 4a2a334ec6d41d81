"""Asterisk as it can be seen without changing it: its files, its process, AMI, its console."""

import asyncio
import os
import time
from pathlib import Path

from callctl.asterisk.ami import AmiClient
from callctl.asterisk.ami_protocol import AmiError
from callctl.asterisk.program import needed_modules
from callctl.asterisk.runtime import console_command
from callctl.config import Settings
from callctl.features.checks.doctor.conf_files import Configuration, read_configuration
from callctl.features.checks.doctor.model import AsteriskConsole, AsteriskProcess, Manager, Missing

CONF_FILES = (
    *("asterisk.conf", "cel.conf", "cel_custom.conf", "extensions.conf", "manager.conf"),
    *("pjsip.conf", "rtp.conf"),
)
UNWANTED_MODULES = (
    *("cel_manager.so", "cel_pgsql.so", "cel_odbc.so", "cel_sqlite3_custom.so", "cel_tds.so"),
    *("cdr_csv.so", "cdr_custom.so", "cdr_manager.so", "cdr_pgsql.so", "cdr_adaptive_odbc.so"),
)
"""Each costs time in every call, and one that blocks stops the journal with it."""

CONSOLE_COMMANDS = (
    "cel show status",
    "core show translation",
    "dialplan show globals",
    "manager show user {ami_user}",
    "pjsip show settings",
)
DEFAULT_RUN_DIR = "/var/run/asterisk"
DEFAULT_LOG_DIR = "/var/log/asterisk"
AMI_SECONDS = 6.0
CONSOLE_SECONDS = 5.0


def look_at_configuration(settings: Settings, directory: Path | None) -> Configuration | Missing:
    """Beside the generated files, unless another directory is given."""
    generated = settings.asterisk_generated_dir
    try:
        return read_configuration(directory or generated.parent, CONF_FILES, generated)
    except OSError as error:
        return Missing(f"Asterisk's configuration cannot be read: {error}")


def run_dir(configuration: Configuration | Missing) -> Path:
    if isinstance(configuration, Missing):
        return Path(DEFAULT_RUN_DIR)
    return Path(configuration.value("asterisk.conf", "directories", "astrundir") or DEFAULT_RUN_DIR)


def look_at_process(directory: Path) -> AsteriskProcess | Missing:
    """By the process id that Asterisk left in its run directory."""
    file = directory / "asterisk.pid"
    try:
        pid = int(file.read_text())
        place = Path(f"/proc/{pid}")
        if (place / "comm").read_text().strip() != "asterisk":
            return Missing(f"{file} names process {pid}, which is not Asterisk's")
        status = dict(line.split(":\t", 1) for line in (place / "status").read_text().splitlines())
        limits = (place / "limits").read_text().splitlines()
    except (OSError, ValueError):
        return Missing(f"Asterisk's process is not to be seen ({file})")
    open_files = next(line.split()[3] for line in limits if line.startswith("Max open files"))
    return AsteriskProcess(
        pid=pid,
        uid=int(status["Uid"].split()[1]),
        groups=frozenset(map(int, [status["Gid"].split()[1], *status["Groups"].split()])),
        open_files=int(open_files) if open_files.isdecimal() else 1 << 30,
        same_network=_same_network(place),
        hosts=_hosts_of(place),
    )


def _same_network(place: Path) -> bool | None:
    try:
        return os.readlink(place / "ns/net") == os.readlink("/proc/self/ns/net")
    except OSError:
        return None


def _hosts_of(place: Path) -> str | None:
    try:
        return (place / "root/etc/hosts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


async def look_at_console(settings: Settings, directory: Path) -> AsteriskConsole | Missing:
    """As ``asterisk -rx`` does; for root and Asterisk's group."""
    control = directory / "asterisk.ctl"
    output: dict[str, str] = {}
    try:
        async with asyncio.timeout(CONSOLE_SECONDS):
            for command in CONSOLE_COMMANDS:
                text = command.format(ami_user=settings.ami_user)
                output[command] = await console_command(control, text)
    except TimeoutError:
        return Missing(f"Asterisk's console at {control} does not answer")
    except OSError as error:
        return Missing(f"Asterisk's console cannot be reached: {control}: {error.strerror}")
    return AsteriskConsole(output)


async def look_at_manager(settings: Settings, secret: str) -> Manager | Missing:
    """One log-in, and questions. A refused one is not tried again: it would look like guessing."""
    failed = asyncio.Event()

    async def give_up(_seconds: float) -> None:
        failed.set()
        await asyncio.Event().wait()

    client = AmiClient(
        settings.ami_host,
        settings.ami_port,
        settings.ami_user,
        secret,
        events="off",
        sleep=give_up,
    )
    await client.start()
    try:
        async with asyncio.timeout(AMI_SECONDS):
            tries = [
                asyncio.ensure_future(client.wait_for_state(True, AMI_SECONDS)),
                asyncio.ensure_future(failed.wait()),
            ]
            try:
                await asyncio.wait(tries, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in tries:
                    one.cancel()
                await asyncio.gather(*tries, return_exceptions=True)
            return Missing(client.state.reason) if failed.is_set() else await _ask(client)
    except (AmiError, TimeoutError) as error:
        return Missing(str(error) or f"no answer in {AMI_SECONDS:.0f} s")
    finally:
        await client.stop()


async def _ask(client: AmiClient) -> Manager:
    commands = await client.action("ListCommands")
    core = await client.action("CoreSettings")
    status = await client.action("CoreStatus")
    before = time.time()
    ping = await client.action("Ping")
    after = time.time()
    stamp = float(ping.fields.get("timestamp", "nan"))
    modules = {}
    for module in (*needed_modules(), *UNWANTED_MODULES):
        modules[module] = (await client.action("ModuleCheck", Module=module)).success
    fallback = await client.action("ShowDialPlan", Context="callctl-fallback", Extension="s")
    return Manager(
        settings=core.fields,
        status=status.fields,
        commands=frozenset(commands.fields) - {"response", "actionid"},
        modules=modules,
        fallback_loaded=fallback.success,
        ahead=stamp - (before + after) / 2,
        uncertain=(after - before) / 2,
    )
