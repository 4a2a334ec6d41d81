"""Where a webhook may go: never into the house, unless a setting allows that network.

A name is resolved once per connection, every address is looked at, and the connection goes to
those addresses, so that a name cannot change its mind between the look and the leap.
"""

import ipaddress
import socket
from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from callctl.core.errors import CallctlError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


class ForbiddenTarget(OSError):
    """The target is, or resolves to, an address that webhooks must not reach."""


class Targets:
    """`networks`: those within the house that are allowed."""

    def __init__(self, networks: Sequence[str] = ()) -> None:
        self._networks = [ipaddress.ip_network(n) for n in networks]

    def allows(self, text: str) -> bool:
        """Whether an address may be connected to: public, or of an allowed network."""
        try:
            address = _plain(ipaddress.ip_address(text.partition("%")[0]))
        except ValueError:
            return False
        if any(address in network for network in self._networks):
            return True
        return address.is_global and not address.is_multicast

    def check_url(self, url: str) -> None:
        """Raises CallctlError("invalid_field") for what is no address of a webhook."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        problem = None
        if not url.isprintable() or " " in url or not host or port == 0:
            problem = "is not an address"
        elif parts.scheme not in ("http", "https"):
            problem = "must begin with https:// or http://"
        elif parts.username is not None or parts.password is not None:
            problem = "must hold no user and no password"
        elif _is_numeric(host) and not self.allows(host):
            problem = "is an address within the house (see the setting webhook_networks)"
        if problem:
            raise CallctlError("invalid_field", problem, "body.url")

    def check_literal(self, host: str) -> None:
        """aiohttp resolves no numeric address: it is looked at here. Raises ForbiddenTarget."""
        if _is_numeric(host) and not self.allows(host):
            raise ForbiddenTarget(f"{host} is no address that webhooks may go to")


def shown_url(url: str) -> str:
    """What logs, notices and mails say of an address: neither user nor query, where tokens are.

    The first digits of a hash stand for what was left out, so that one can see that it changed.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    hidden = (parts.username, parts.password, parts.query, parts.fragment)
    mark = sha256(repr(hidden).encode()).hexdigest()[:8] if any(hidden) else ""
    return urlunsplit((parts.scheme, host, parts.path, mark and f"hidden-{mark}", ""))


class PinnedResolver(AbstractResolver):
    """Resolves a name, and hands on its addresses only if all of them are allowed."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found: list[ResolveResult] = await self._resolver.resolve(host, port, family)
        if not found or not all(self._targets.allows(one["host"]) for one in found):
            raise ForbiddenTarget(f"{host} leads to an address that webhooks may not go to")
        return found

    async def close(self) -> None:
        await self._resolver.close()


def _is_numeric(host: str) -> bool:
    """Any spelling that is taken for an address without asking anybody: 127.1, 0x7f000001."""
    if ":" in host:
        return True
    last = host.rstrip(".").rpartition(".")[2].lower()
    return last.isdecimal() or last.startswith("0x")


def _plain(address: Address) -> Address:
    """The IPv4 address within an IPv6 one, where there is one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner: Any = address.ipv4_mapped or address.sixtofour
    if inner is None and address in _TRANSLATED:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address
