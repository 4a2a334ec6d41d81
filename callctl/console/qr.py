"""QR codes, as pictures that stand in the page."""

import io
from functools import lru_cache

from markupsafe import Markup


@lru_cache(maxsize=64)  # A page that is shown again every few seconds; each takes some 50 ms.
def qr_svg(text: str) -> Markup:
    """An SVG without styles or ids, black on white with its quiet zone, as cameras want it."""
    # Only for who sets up a phone or a second factor.
    import segno

    out = io.BytesIO()
    segno.make(text, error="m").save(
        out, kind="svg", scale=4, border=4, dark="#000", light="#fff", xmldecl=False, svgns=False,
        nl=False, title="QR code",
    )  # fmt: skip
    return Markup(out.getvalue().decode())  # noqa: S704 (made here: paths and numbers only)
