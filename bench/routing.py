"""Routing documents of any size: one carrier, extensions, and a number for each."""

from collections.abc import Iterator

FIRST_EXTENSION = 10_000
DID_PREFIX = "+3617"
"""Followed by seven digits."""


def extension_number(index: int) -> str:
    return str(FIRST_EXTENSION + index)


def did_number(index: int) -> str:
    return f"{DID_PREFIX}{index:07}"


def extension_secret(index: int) -> str:
    return f"bench-secret-of-{extension_number(index)}"


def routing_yaml(extensions: int, dids: int, carrier: str) -> str:
    """DID number i rings extension i (counted around), then the next one, then is refused as busy.

    `carrier` is the address of the one trunk.
    """
    return "\n".join(_lines(extensions, dids, carrier)) + "\n"


def _lines(extensions: int, dids: int, carrier: str) -> Iterator[str]:
    yield "account: {code: main, name: Bench, country: HU, timezone: Europe/Budapest}"
    yield "trunks:"
    yield f"  - {{name: carrier, host: {carrier}, match: [{carrier}], qualify_seconds: 0}}"
    yield "extensions:"
    for i in range(extensions):
        number, secret = extension_number(i), extension_secret(i)
        yield f"  - {{number: {number}, name: Extension {number}, secret: {secret}}}"
    yield "dids:"
    for i in range(dids):
        first, second = (extension_number((i + n) % extensions) for n in (0, 1))
        chain = f'["extension:{first}", "extension:{second}", "hangup:busy"]'
        yield f'  - {{number: "{did_number(i)}", to: {chain}}}'
