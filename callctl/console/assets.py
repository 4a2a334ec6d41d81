"""The files that pages load: their addresses, which change with the content, and checksums."""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

STATIC = Path(__file__).resolve().parent / "static"


class Asset(NamedTuple):
    """`url` changes whenever the file does; `integrity` is what a browser holds it against (SRI).

    `missing`: the file is not there, as in a checkout whose assets were not fetched.
    """

    url: str
    integrity: str
    missing: bool = False


@cache
def asset(name: str) -> Asset:
    """The file `name` below ``static``. Reads it once."""
    try:
        content = (STATIC / name).read_bytes()
    except FileNotFoundError:
        return Asset(f"/static/{name}", "", missing=True)
    digest = hashlib.sha384(content).digest()
    version = digest.hex()[:12]
    return Asset(f"/static/{name}?v={version}", f"sha384-{base64.b64encode(digest).decode()}")
