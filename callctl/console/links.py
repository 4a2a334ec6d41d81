"""Addresses of pages that others hand out."""

from collections.abc import Callable
from urllib.parse import urlencode

ACCEPT = "/accept-invitation"


def link_to(public_url: str | None) -> Callable[[str], str]:
    """The address of the page on which an invitation's secret is accepted."""
    root = (public_url or "").rstrip("/")
    return lambda secret: f"{root}{ACCEPT}?{urlencode({'secret': secret})}"
