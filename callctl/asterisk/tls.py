"""A self-signed certificate for SIP over TLS, made at the first start.

The ``openssl`` program makes it: Python's standard library cannot, and the private root always
holds the program (with ca-certificates), so no further Python package is needed. Replace the two
files with a real certificate where phones check it.
"""

import shutil
import subprocess
from pathlib import Path

from callctl.asterisk.program import AsteriskProgram

VALID_DAYS = 3650


class CertificateError(RuntimeError):
    """openssl is missing or failed; the text says what to do."""


def make_certificate(program: AsteriskProgram, certificate: Path, key: Path, address: str) -> None:
    """Write `certificate` and `key` (PEM, P-256) for `address` unless both are there.

    Both must lie in one directory. Raises CertificateError.
    """
    if certificate.is_file() and key.is_file():
        return
    directory = certificate.parent
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    drafts = directory / ".certificate.new", directory / ".key.new"
    arguments = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-days", str(VALID_DAYS), "-subj", "/CN=callctl"),
        *("-addext", f"subjectAltName=IP:{address}"),
        *("-out", str(drafts[0]), "-keyout", str(drafts[1])),
    ]
    if shutil.which("openssl") is None:
        if program.root is None:
            raise CertificateError(
                "SIP over TLS needs a certificate: run 'apt-get install openssl'"
            )
        arguments = program.command(arguments, writable=[directory])
    made = subprocess.run(  # noqa: S603
        arguments, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
    )
    if made.returncode != 0:
        raise CertificateError(f"openssl made no certificate: {made.stderr.strip()[-500:]}")
    drafts[1].chmod(0o600)
    drafts[1].replace(key)
    drafts[0].replace(certificate)
