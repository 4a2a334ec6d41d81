#!/usr/bin/env python3
"""``AGI(callctl-check,<number>[,<endpoint>])``, run by Asterisk itself: is all well?

Tells an admin, on the console and in two channel variables, whether the daemon answers, and what
the fallback (the dialplan written at the last change of the routing) would do with a number. It
must work when callctl does not, so it needs nothing of callctl: only Python and pyst2.

    CALLCTL_CHECK_DAEMON   ``up <what it says of itself>`` or ``down <why>``
    CALLCTL_CHECK_PLAN     the fallback's plan, encoded; empty = the number is unknown to it
"""

import io
import re
import socket
import sys
import time
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from asterisk.agi import AGI, AGIException, AGIUnknownError

TIMEOUT_SECONDS = 2.0
DEFAULT_URL = "agi://127.0.0.1:4573/route"
FALLBACK = "callctl-fallback"

_PING = {
    "agi_network": "yes",
    "agi_network_script": "ping",
    "agi_request": "agi://callctl/ping",
    "agi_channel": "PJSIP/check-00000000",
    "agi_language": "en",
    "agi_type": "PJSIP",
    "agi_uniqueid": "check",
    "agi_version": "check",
    "agi_callerid": "unknown",
    "agi_calleridname": "unknown",
    "agi_callingpres": "0",
    "agi_callingani2": "0",
    "agi_callington": "0",
    "agi_callingtns": "0",
    "agi_dnid": "unknown",
    "agi_rdnis": "unknown",
    "agi_context": "check",
    "agi_extension": "s",
    "agi_priority": "1",
    "agi_enhanced": "0.0",
    "agi_accountcode": "",
    "agi_threadid": "0",
}
"""Every line that Asterisk sends: the server waits for no fewer."""
_PONG = re.compile(rb'SET VARIABLE CALLCTL_PONG "([^"]*)"\n')
_DIALLED = re.compile(r"[^0-9A-Za-z*#+]")


def ask_daemon(url: str) -> str:
    """``up …`` or ``down …``. Never raises for what a network can do; takes 2 s at most."""
    try:
        place = urlsplit(url)
        return _exchange(place.hostname or "127.0.0.1", place.port or 4573)
    except (OSError, ValueError) as error:
        return f"down {error}"


def _exchange(host: str, port: int) -> str:
    until = time.monotonic() + TIMEOUT_SECONDS
    with socket.create_connection((host, port), TIMEOUT_SECONDS) as connection:
        lines = "".join(f"{name}: {value}\n" for name, value in _PING.items())
        connection.sendall(lines.encode() + b"\n")
        answer = b""
        while b"\n" not in answer and len(answer) < 1000:
            connection.settimeout(max(0.01, until - time.monotonic()))
            data = connection.recv(1000)
            if not data:
                return "down it closed the connection without an answer"
            answer += data
        pong = _PONG.match(answer)
        if pong is None:
            return "down it answered, but refused"
        connection.sendall(b"200 result=1\n")
    return f"up {pong[1].decode('utf-8', 'replace')}"


def ask_fallback(agi: AGI, number: str, endpoint: str) -> str:
    """The encoded plan that the fallback dialplan has for `number` dialled at `endpoint`."""
    exists = agi.get_full_variable(f"${{DIALPLAN_EXISTS({FALLBACK},s,1)}}")
    if exists != "1":
        return ""
    agi.set_variable("CALLCTL_DIALLED", number)
    agi.set_variable("CALLCTL_ENDPOINT", endpoint)
    agi.set_variable("CALLCTL_PLAN", "")
    # Asterisk says "100 Trying" first, which pyst2 takes for an error.
    with suppress(AGIUnknownError):
        agi.execute("GOSUB", FALLBACK, "s", "1")
    agi.get_result()
    return str(agi.get_variable("CALLCTL_PLAN"))


def describe_plan(plan: str) -> list[str]:
    """One line per step, for people. Total: what it does not know it shows as it is."""
    return [_describe_step(step) for step in plan.split("!")[1:]]


def _describe_step(step: str) -> str:
    kind, *fields = step.split("|")
    kind, _, when = kind.partition("?")
    values = [unquote(value) for value in fields]
    match kind, values:
        case "ring", [seconds, _, extensions, *_]:
            text = f"ring {extensions.replace('&', ' and ')} for {seconds} s"
        case "trunk", [seconds, _, trunk, _, number, *_]:
            text = f"call {number} through {trunk} for {seconds} s"
        case "announce", [sound]:
            text = f"play {sound}"
        case "hangup", [cause]:
            text = f"hang up with cause {cause}"
        case _:
            text = step
    return f"{text} (after {when})" if when else text


def plain(text: str) -> str:
    """Without what AGI's quoting cannot carry."""
    return "".join(c if c.isprintable() and c not in '"\\' else "'" for c in text)


def say(agi: AGI, text: str) -> None:
    agi.verbose(plain(f"callctl: {text}"), 1)


def main() -> int:
    # Names in any encoding must not end the check.
    stdin = io.TextIOWrapper(sys.stdin.buffer, "utf-8", "replace")
    stdout = io.TextIOWrapper(sys.stdout.buffer, "utf-8", "replace")
    # pyst2 writes a line for all it does; the console is for the result.
    agi = AGI(stdin, stdout, io.StringIO())
    number = _DIALLED.sub("", agi.env.get("agi_arg_1", ""))
    endpoint = agi.env.get("agi_arg_2") or agi.get_full_variable("${CHANNEL(endpoint)}")
    try:
        daemon = ask_daemon(agi.get_full_variable("${CALLCTL_AGI}") or DEFAULT_URL)
        say(agi, f"the daemon is {daemon}")
        agi.set_variable("CALLCTL_CHECK_DAEMON", plain(daemon))
        plan = ask_fallback(agi, number, endpoint) if number else ""
        agi.set_variable("CALLCTL_CHECK_PLAN", plan)
        if number:
            lines = describe_plan(plan) or ["refuse it: it knows no such number"]
            for line in lines:
                say(agi, f"for {number} the fallback would {line}")
    except AGIException as error:
        print(f"callctl-check: {error!r}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
