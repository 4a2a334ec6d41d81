"""The keys that recordings are encrypted under.

Each account has a data key; the master key only wraps these (AES-256-GCM), so that another master
key means to wrap a few keys anew, and no recording. The master key comes from a file or the
environment, is made by ``callctl recordings make-key``, and is never in the database or a log.
"""

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.master_key import KEY_BYTES, MasterKey, parse_master_key
from callctl.db.audit import record_change
from callctl.db.pool import Database
from callctl.features.recordings.cipher import Cipher, NotAuthentic

_NONCE = 12

KEY_OF_ACCOUNT = "select id, account_id, master, wrapped from recording_keys where account_id = $1"
KEY_BY_ID = "select id, account_id, master, wrapped from recording_keys where id = $1"
ADD_KEY = """
insert into recording_keys (account_id, master, wrapped) values ($1, $2, $3)
on conflict (account_id) do nothing
"""
ALL_KEYS = "select id, account_id, master, wrapped from recording_keys order by id for update"
REWRAP = "update recording_keys set master = $2, wrapped = $3 where id = $1"


def read_master_key(text: str, file: Path) -> MasterKey:
    """The setting's value, else the file's. Raises CallctlError("recording_key_unavailable")."""
    place = "recordings_key" if text else str(file)
    try:
        return parse_master_key(text or file.read_text(encoding="ascii"))
    except FileNotFoundError:
        raise _unavailable(f"there is no master key: {file} is not there") from None
    except (OSError, ValueError) as error:
        raise _unavailable(f"{place}: {error}") from None


def make_master_key(file: Path) -> MasterKey:
    """A new one, by chance, for the owner of the file only. Raises OSError, also if it exists."""
    master = MasterKey(os.urandom(KEY_BYTES))
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as out:
        out.write(base64.b64encode(master.secret) + b"\n")
        out.flush()
        os.fsync(out.fileno())
    return master


def wrap(master: MasterKey, account_id: int, data_key: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + Cipher(master.secret).encrypt(nonce, data_key, _about(account_id))


def unwrap(master: MasterKey, row: Any) -> bytes:
    """The data key of a row. Raises CallctlError("recording_key_unavailable")."""
    if row["master"] != master.name:
        raise _unavailable(
            f"the key of account {row['account_id']} was wrapped by master key {row['master']}, "
            f"and the one that is there is {master.name}"
        )
    nonce, sealed = row["wrapped"][:_NONCE], row["wrapped"][_NONCE:]
    try:
        return Cipher(master.secret).decrypt(nonce, sealed, _about(row["account_id"]))
    except (NotAuthentic, ValueError):
        raise _unavailable(f"the wrapped key of account {row['account_id']} is damaged") from None


def _about(account_id: int) -> bytes:
    return f"callctl data key of account {account_id}".encode()


def _unavailable(message: str) -> CallctlError:
    return CallctlError("recording_key_unavailable", message)


class Keyring:
    """Data keys of accounts. `read_master` is asked each time one is met that is not in memory."""

    def __init__(self, db: Database, read_master: Callable[[], MasterKey]) -> None:
        self._db = db
        self._read_master = read_master
        self._known: dict[int, bytes] = {}

    async def key_for_writing(self, account_id: int) -> tuple[int, bytes]:
        """(id, key) of the account, made where there is none.

        Raises CallctlError("recording_key_unavailable").
        """
        if await self._db.fetchrow(KEY_OF_ACCOUNT, account_id) is None:
            master = self._read_master()
            wrapped = wrap(master, account_id, os.urandom(KEY_BYTES))
            await self._db.execute(ADD_KEY, account_id, master.name, wrapped)
        return await self.existing_key(account_id)

    async def existing_key(self, account_id: int) -> tuple[int, bytes]:
        """As `key_for_writing`, but none is made: for what is encrypted already.

        Raises CallctlError("recording_key_unavailable").
        """
        row = await self._db.fetchrow(KEY_OF_ACCOUNT, account_id)
        if row is None:
            raise _unavailable(f"the database has no data key of account {account_id}")
        return row["id"], self._key(row)

    async def key_for_reading(self, id_: int) -> bytes:
        """Raises CallctlError("recording_key_unavailable")."""
        if id_ in self._known:
            return self._known[id_]
        return self._key(await self._db.fetchrow(KEY_BY_ID, id_))

    def _key(self, row: Any) -> bytes:
        if row["id"] not in self._known:
            self._known[row["id"]] = unwrap(self._read_master(), row)
        return self._known[row["id"]]


async def rewrap_keys(db: Database, old: MasterKey, new: MasterKey, author: Author) -> int:
    """Wrap every data key under `new`, all or none; returns how many there are.

    A row that is under `new` already is left as it is, so that an interrupted change of keys can
    be done again. Raises CallctlError("recording_key_unavailable").
    """
    async with db.transaction() as connection:
        rows = await connection.fetch(ALL_KEYS)
        for row in rows:
            if row["master"] != new.name:
                wrapped = wrap(new, row["account_id"], unwrap(old, row))
                await connection.execute(REWRAP, row["id"], new.name, wrapped)
                await record_change(
                    connection, row["account_id"], author, "recording_key.rewrapped",
                    f"recording_key:{row['id']}", {"master": row["master"]}, {"master": new.name},
                )  # fmt: skip
    return len(rows)
