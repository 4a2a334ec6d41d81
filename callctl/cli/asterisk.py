"""``callctl asterisk-conf``: Asterisk's configuration, for the service that the system runs."""

import argparse
import os
import pwd
import sys
from pathlib import Path
from typing import Any

from agi.install import copy_check
from callctl.asterisk.conf import ConfError, ConfValues, read_or_make_secret
from callctl.asterisk.install import (
    ForeignFiles,
    Owners,
    compare_asterisk_conf,
    install_asterisk_conf,
)
from callctl.asterisk.program import find_installed
from callctl.asterisk.tls import CertificateError
from callctl.cli.common import EXIT_NO, EXIT_OK, Failure, settings_of_process
from callctl.config import Settings

_LIB_DIR = Path("/var/lib/asterisk")


def add_commands(commands: Any) -> None:
    conf = commands.add_parser(
        "asterisk-conf",
        help="write Asterisk's configuration into a directory",
        description="Writes all of Asterisk's configuration, made for callctl, into DIR. Ports, "
        "secret, systemname, journal, recordings and generated files are as callctl's settings "
        "say. Files that callctl did not write are left alone, unless --overwrite is given.",
    )
    conf.set_defaults(run=run_conf)
    conf.add_argument("directory", type=Path, metavar="DIR", help="as /etc/asterisk")
    conf.add_argument(
        "--user",
        metavar="NAME",
        help="whom Asterisk runs as: the files get this user's group, Asterisk's own directories "
        "this user (needs root)",
    )
    conf.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if a file differs"
    )
    conf.add_argument(
        "--overwrite",
        action="store_true",
        help="replace files that are not callctl's; they are kept as NAME.orig",
    )
    _add_network(conf.add_argument_group("network"))
    _add_places(conf.add_argument_group("places"))


def _add_network(group: Any) -> None:
    group.add_argument("--sip-address", default="0.0.0.0", metavar="IP", help="default: all")  # noqa: S104
    group.add_argument("--sip-port", type=int, default=5060, metavar="PORT", help="UDP and TCP")
    group.add_argument("--tls-port", type=int, default=5061, metavar="PORT")
    group.add_argument("--media-address", metavar="IP", help="bind media to it; default: all")
    group.add_argument(
        "--external-address", metavar="IP", help="ours as seen from outside, behind NAT"
    )
    group.add_argument(
        "--local-network",
        action="append",
        default=[],
        metavar="NET",
        help="not behind that NAT, as 192.168.0.0/16; may be given several times",
    )
    group.add_argument(
        "--rtp-ports", type=_port_range, default=(10000, 20000), metavar="FIRST-LAST"
    )
    group.add_argument("--tls-certificate", type=Path, metavar="FILE", help="PEM; default: made")
    group.add_argument("--tls-key", type=Path, metavar="FILE")


def _add_places(group: Any) -> None:
    group.add_argument(
        "--module-dir", type=Path, metavar="DIR", help="default: of the installed Asterisk"
    )
    group.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="default: of the installed Asterisk"
    )
    group.add_argument("--lib-dir", type=Path, default=_LIB_DIR, metavar="DIR")
    group.add_argument("--spool-dir", type=Path, default=Path("/var/spool/asterisk"), metavar="DIR")
    group.add_argument("--run-dir", type=Path, default=Path("/var/run/asterisk"), metavar="DIR")
    group.add_argument("--tones", default="us", choices=("us", "eu"), help="of ringing and busy")


def _port_range(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    if not (dash and first.isdecimal() and last.isdecimal() and 1024 <= int(first) < int(last)):
        raise argparse.ArgumentTypeError(f"{text!r} is not FIRST-LAST, as 10000-20000")
    if int(last) > 65535:
        raise argparse.ArgumentTypeError(f"{last} is not a port")
    return int(first), int(last)


def run_conf(arguments: argparse.Namespace) -> int:
    settings = settings_of_process()
    try:
        owners = _owners(arguments.user, settings) if arguments.user else None
        values = _values(arguments, settings, owners)
        if arguments.check:
            return _say_difference(values)
        written = install_asterisk_conf(values, owners=owners, overwrite=arguments.overwrite)
        copy_check(values.agi_dir)
    except ForeignFiles as error:
        raise Failure(
            f"{arguments.directory} has files that callctl did not write, or that were changed "
            f"since: {error}\nGive another directory, or --overwrite (they are kept as NAME.orig)",
            EXIT_NO,
        ) from error
    except (ConfError, CertificateError) as error:
        raise Failure(str(error)) from error
    except OSError as error:
        raise Failure(f"cannot write: {error}") from error
    print("\n".join(f"wrote {arguments.directory / name}" for name in written) or "up to date")
    return EXIT_OK


def _say_difference(values: ConfValues) -> int:
    difference = compare_asterisk_conf(values)
    for name in difference.changed:
        note = " (not written by callctl)" if name in difference.foreign else ""
        print(f"{values.etc_dir / name}{note}")
    if not difference.changed:
        print("up to date")
    return EXIT_NO if difference.changed else EXIT_OK


def _owners(name: str, settings: Settings) -> Owners:
    """callctl's own user is whoever has the state directory. Raises Failure."""
    if os.geteuid() != 0:
        raise Failure("--user gives files away, which only root can")
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise Failure(f"there is no user {name!r}") from None
    if not settings.state_dir.is_dir():
        raise Failure(
            f"there is no {settings.state_dir}: make it for the user that callctl runs as "
            "(docs/install.md)"
        )
    return Owners(user.pw_uid, settings.state_dir.stat().st_uid, user.pw_gid)


def _secret(settings: Settings, owners: Owners | None, *, make: bool) -> str:
    """The manager interface's secret, made at the first time for callctl alone to read."""
    if settings.ami_secret:
        return settings.ami_secret
    path = settings.state_dir / "ami.secret"
    if not make and not path.is_file():
        return "not-made-yet"
    secret = read_or_make_secret(path)
    if owners is not None:
        os.chown(path, owners.callctl_uid, -1)
    return secret


def _values(arguments: argparse.Namespace, settings: Settings, owners: Owners | None) -> ConfValues:
    etc = arguments.directory.absolute()
    module_dir, data_dir = _program_dirs(arguments)
    if (arguments.tls_certificate is None) != (arguments.tls_key is None):
        raise Failure("--tls-certificate and --tls-key go together")
    return ConfValues(
        etc_dir=etc,
        generated_dir=settings.asterisk_generated_dir,
        module_dir=module_dir,
        data_dir=data_dir,
        lib_dir=arguments.lib_dir,
        agi_dir=arguments.lib_dir / "agi-bin",
        spool_dir=arguments.spool_dir,
        run_dir=arguments.run_dir,
        log_dir=_log_dir(settings),
        moh_dir=arguments.lib_dir / "moh-callctl",
        recordings_spool=settings.recordings_spool,
        tls_certificate=arguments.tls_certificate or etc / "tls/certificate.pem",
        tls_key=arguments.tls_key or etc / "tls/key.pem",
        ami_secret=_secret(settings, owners, make=not arguments.check),
        systemname=settings.systemname,
        sip_address=arguments.sip_address,
        sip_port=arguments.sip_port,
        tls_port=arguments.tls_port,
        media_address=arguments.media_address,
        external_address=arguments.external_address,
        local_networks=tuple(arguments.local_network),
        rtp_first_port=arguments.rtp_ports[0],
        rtp_last_port=arguments.rtp_ports[1],
        ami_address=settings.ami_host,
        ami_port=settings.ami_port,
        ami_user=settings.ami_user,
        agi_address=settings.agi_host,
        agi_port=settings.agi_port,
        tone_country=arguments.tones,
    )


def _program_dirs(arguments: argparse.Namespace) -> tuple[Path, Path]:
    """Where Asterisk's modules and data are: as said, else of the one that is installed."""
    if arguments.module_dir and arguments.data_dir:
        return arguments.module_dir, arguments.data_dir
    try:
        program = find_installed(lambda line: print(f"callctl: {line}", file=sys.stderr))
    except (RuntimeError, OSError) as error:
        raise Failure(f"the installed Asterisk does not say what it is: {error}") from error
    if program is None:
        raise Failure(
            "no Asterisk 20 to 23 with all modules is installed here; for one elsewhere give "
            "--module-dir and --data-dir"
        )
    return arguments.module_dir or program.module_dir, arguments.data_dir or program.data_dir


def _log_dir(settings: Settings) -> Path:
    """Asterisk writes the journal where its log directory says, under a fixed name."""
    path = settings.journal_path
    if path.name != "journal.csv" or path.parent.name != "cel-custom":
        raise Failure(
            f"journal_path is {path}; Asterisk writes it as cel-custom/journal.csv beneath its "
            "log directory"
        )
    return path.parent.parent
