"""``callctl demo``: a whole call centre on this machine, with simulated phones and carriers."""

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from callctl.app import AlreadyRunning
from callctl.asterisk.root import RootError
from callctl.asterisk.runtime import AsteriskError
from callctl.cli.common import EXIT_NO, EXIT_OK, Failure
from callctl.demo.clients import add_clients
from callctl.demo.play import Api, play
from callctl.demo.script import CALLS
from callctl.demo.shop import PURCHASE, buy_and_be_called, open_shop
from callctl.demo.show import history_table, outcome, purchase, welcome
from callctl.demo.sip import SipError
from callctl.demo.stage import ROUTING_FILE, Stage, open_stage
from callctl.demo.watch import watched
from callctl.telemetry.log import configure_logging

LOG_NAME = "callctl.log"


def add_commands(commands: Any) -> None:
    demo = commands.add_parser(
        "demo",
        help="try everything: real SIP calls between simulated phones and carriers",
        description="Starts PostgreSQL, Asterisk and callctl below --state-dir, places calls, "
        "shows their history, and runs until Ctrl-C. Data is kept for the next time.",
    )
    demo.add_argument("--once", action="store_true", help="end after the calls; 1 if one is wrong")
    demo.add_argument(
        "--state-dir",
        type=Path,
        metavar="DIR",
        help="default: .callctl/demo; with --once .callctl/check, so that it judges the demo's "
        "own routing and leaves yours alone",
    )
    demo.set_defaults(run=run_demo)


def run_demo(arguments: argparse.Namespace) -> int:
    place = Path(".callctl/check" if arguments.once else ".callctl/demo")
    state_dir = (arguments.state_dir or place).absolute()
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / LOG_NAME).open("a") as log:
        configure_logging("info", "console", log)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(_demo(state_dir, arguments.once))
        except (AlreadyRunning, AsteriskError, RootError, SipError, OSError) as error:
            raise Failure(f"the demo cannot run: {error}\nLog: {log.name}", EXIT_NO) from error
        finally:
            logging.shutdown()


async def _demo(state_dir: Path, once: bool) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    assert main is not None

    def end() -> None:
        stop.set()
        main.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    try:
        return await _show(state_dir, once, stop)
    except asyncio.CancelledError:
        _print("\nStopped; the data is kept.")
        return EXIT_OK if stop.is_set() and not once else EXIT_NO


async def _show(state_dir: Path, once: bool, stop: asyncio.Event) -> int:
    # A run that judges needs the routing that it knows.
    stage_life = open_stage(state_dir, _progress, keep_routing=not once)
    async with (
        stage_life as stage,
        aiohttp.ClientSession() as session,
        watched(stage.stack.asterisk, _progress),
    ):
        if await stage.stack.has_other_routing(ROUTING_FILE):
            _print(
                "· Your own routing is kept; where it differs, calls go your way, not the demo's"
            )
        _print("")
        api = Api(stage.url, stage.token, session)
        await add_clients(api)
        wrong = await _play_calls(stage, api)
        _print(f"{len(CALLS) + 1}. {PURCHASE}")
        async with open_shop(stage, api, session) as shop:
            bought = await buy_and_be_called(stage, shop)
            _print(purchase(bought))
            wrong += not bought.is_right
            page = await api.get("/api/v1/calls", limit="20")
            _print("\n" + history_table(page["items"], await stage.stack.timezone()))
            _print(welcome(stage.url, stage.password, stage.token))
            if once:
                verdict = "every record is right" if not wrong else f"{wrong} records are wrong"
                _print(f"{len(CALLS) + 1} calls, {verdict}")
                return EXIT_NO if wrong else EXIT_OK
            _print("Running until Ctrl-C; the simulated phones stay for two hours.")
            _print("A phone of yours: register at 127.0.0.1:5060, see README.md.")
            await stop.wait()
    return EXIT_OK


async def _play_calls(stage: Stage, api: Api) -> int:
    """How many of the records are wrong."""
    wrong = 0
    for number, call in enumerate(CALLS, 1):
        _print(f"{number}. {call.title}")
        played = await play(stage, api, call)
        _print(outcome(played))
        wrong += bool(played.problems)
    return wrong


def _progress(line: str) -> None:
    _print(f"· {line}")


def _print(line: str) -> None:
    print(line, flush=True, file=sys.stdout)
