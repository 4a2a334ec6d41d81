"""The daemon: builds every part, hands each what it needs, owns their lifetimes.

- `services`: every part is built here, and given what it may ask of the others
- `daemon`: the order of start and stop
- `call_path`: what Asterisk asks about a call, and what becomes of its journal
- `provisioning`, `ami`: what Asterisk is told, and what it tells
- `live`: calls that go on, for those who must know whether they are seen
- `jobs`: what runs for ever
- `web`, `readiness`: HTTP, and what `/readyz` asks
- `lock`: what must be there first
"""

from callctl.app.ami import read_ami_secret
from callctl.app.daemon import Daemon, open_daemon
from callctl.app.lock import AlreadyRunning, take_lock
from callctl.app.services import sign_in_resets
from callctl.app.web import openapi_document
from callctl.db.opening import migrate_when_reachable, open_database_url

__all__ = [
    "AlreadyRunning",
    "Daemon",
    "migrate_when_reachable",
    "open_daemon",
    "open_database_url",
    "openapi_document",
    "read_ami_secret",
    "sign_in_resets",
    "take_lock",
]
