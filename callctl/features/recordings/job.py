"""What the daemon and the process that makes recordings tell each other (worker.py, make.py).

Apart from both, so that the daemon needs none of what encodes and computes.
"""

from typing import Literal

import msgspec

from callctl.core.analysis.figures import Figures

SAMPLE_RATE = 8000
FRAME_BYTES = 4
"""16 bit of each side."""

Format = Literal["wav", "opus"]


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`directory` and `stem`: where the files go and what they are called but for their ending.

    `key`: the data key to encrypt under, empty = not encrypted. `found`: the files are there
    already and there is no `raw`; they are only measured (found.py).
    """

    raw: str
    directory: str
    stem: str
    formats: list[Format]
    key: bytes = b""
    found: bool = False


class MadeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`bytes`: of the audio, before encryption."""

    format: Format
    name: str
    bytes: int


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`error` is empty when all went well; else there are no files. `outlines`: of the caller's
    side and of the called party's."""

    files: list[MadeFile] = []
    seconds: float = 0.0
    figures: Figures | None = None
    outlines: tuple[bytes, bytes] | None = None
    error: str = ""
