"""Asterisk's side of FastAGI, as one process: ``client.py ADDRESS PORT RATE REQUESTS``.

Each request is a connection; the environment's lines are written one by one, as Asterisk does. A
RATE of 0 asks as fast as the answers come. Prints a JSON list of the times in microseconds from
the last line of the environment to the answer.
"""

import json
import socket
import sys
import time

from bench.routing import did_number

DIDS = 10_000


def environment(number: int) -> list[bytes]:
    """Lines as Asterisk 22 sends them for an inbound call, in its order."""
    dialled, unique = did_number(number % DIDS), f"callctl-1795359121.{number}"
    values = {
        "agi_network": "yes",
        "agi_network_script": "route",
        "agi_request": "agi://127.0.11.1:4573/route",
        "agi_channel": f"PJSIP/carrier-{number:08x}",
        "agi_language": "en",
        "agi_type": "PJSIP",
        "agi_uniqueid": unique,
        "agi_version": "22.10.1",
        "agi_callerid": f"+3630{number:07}",
        "agi_calleridname": "unknown",
        "agi_callingpres": "0",
        "agi_callingani2": "0",
        "agi_callington": "0",
        "agi_callingtns": "0",
        "agi_dnid": dialled,
        "agi_rdnis": "unknown",
        "agi_context": "callctl-ask",
        "agi_extension": "s",
        "agi_priority": "2",
        "agi_enhanced": "0.0",
        "agi_accountcode": "",
        "agi_threadid": "140245061002944",
        "agi_arg_1": dialled,
        "agi_arg_2": unique,
        "agi_arg_3": "",
    }
    return [f"{name}: {value}\n".encode() for name, value in values.items()] + [b"\n"]


def ask(address: str, port: int, number: int) -> float:
    """One request; microseconds from its last line to its answer."""
    with socket.create_connection((address, port), 5) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for line in environment(number):
            connection.sendall(line)
        sent = time.perf_counter()
        answer = connection.recv(9000)
        took = time.perf_counter() - sent
        if not answer.startswith(b"SET VARIABLE CALLCTL_PLAN "):
            raise RuntimeError(f"the server answered {answer!r}")
        connection.sendall(b"200 result=1\n")
        if connection.recv(100):
            raise RuntimeError("the server did not close")
    return took * 1e6


def main(address: str, port: int, rate: float, requests: int) -> None:
    times = []
    due = time.perf_counter()
    for number in range(requests):
        if rate:
            due += 1 / rate
            time.sleep(max(0.0, due - time.perf_counter()))
        times.append(ask(address, port, number))
    print(json.dumps(times))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
