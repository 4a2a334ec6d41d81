"""A PostgreSQL of a bench's own, below a temporary directory, durable as in production."""

import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from callctl.db.embedded import EmbeddedPostgres


@contextmanager
def scratch_postgres() -> Iterator[EmbeddedPostgres]:
    """A fresh server; it and its data are gone afterwards, also when the bench is terminated."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="callctl-bench-") as directory:
        server = EmbeddedPostgres.start(Path(directory))
        try:
            yield server
        finally:
            server.stop()
