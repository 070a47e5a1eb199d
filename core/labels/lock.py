"""One writer a journal: a lock that the operating system drops when its holder dies.

The small file beside the journal is locked for as long as the journal is open, and says who
holds it, for the message that a second instance shows. The lock itself is the kernel's: after
a crash there is nothing to clean up. On a network share, where such locks cannot always be
trusted, a record that names another machine is believed until its file is removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from core.errors import JournalBusyError, NotDurableError

_NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afpfs", "webdav", "davfs", "9p", "fuse.sshfs", "afs"}
)

if sys.platform == "win32":
    import msvcrt

    # Windows' locks shut readers out of the locked bytes: lock one far behind the record.
    _LOCKED_BYTE = 1 << 30

    def _try_lock(handle: int) -> bool:
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(handle: int) -> None:
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)


def is_network_share(path: Path) -> bool:
    """Whether a folder lies on a file system of another machine, as far as can be told."""
    resolved = path.resolve()
    best, kind = -1, ""
    for part in psutil.disk_partitions(all=True):
        mount = Path(part.mountpoint)
        if resolved.is_relative_to(mount) and len(mount.parts) > best:
            best, kind = len(mount.parts), f"{part.fstype.lower()},{part.opts.lower()}"
    return kind.split(",", 1)[0] in _NETWORK_FILE_SYSTEMS or "remote" in kind.split(",")


class WriterLock:
    """The right to write one journal, held from `acquire` until `release`."""

    def __init__(
        self, journal: Path, *, on_share: Callable[[Path], bool] = is_network_share
    ) -> None:
        self.path = journal.with_name(f"{journal.name}.lock")
        self._journal = journal
        self._on_share = on_share
        self._handle: int | None = None

    def acquire(self, now: datetime) -> None:
        """Take the lock and write down who has it.

        Raises JournalBusyError if someone else holds it, NotDurableError if the folder cannot
        be written.
        """
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise NotDurableError(self.path, error.strerror or str(error)) from error
        try:
            if not _try_lock(handle):
                raise JournalBusyError(self._journal, told(self._record(handle)))
            left = self._record(handle)
            elsewhere = bool(left) and left.get("host") != socket.gethostname()
            if elsewhere and self._on_share(self.path.parent):
                raise JournalBusyError(
                    self._journal,
                    f"{told(left)}; if it runs there no longer, remove {self.path.name}",
                )
            record = {"host": socket.gethostname(), "pid": os.getpid(), "since": now.isoformat()}
            # The lock is the kernel's; on a full disk the record for others' messages is missing.
            with contextlib.suppress(OSError):
                self._write(handle, json.dumps(record).encode())
        except OSError as error:
            os.close(handle)
            raise NotDurableError(self.path, error.strerror or str(error)) from error
        except JournalBusyError:
            os.close(handle)
            raise
        self._handle = handle

    def release(self) -> None:
        """Let others write. Does nothing if the lock is not held."""
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        try:
            self._write(handle, b"")
            _unlock(handle)
        except OSError:
            pass  # closing drops the lock; the record left behind names a process that is gone
        finally:
            os.close(handle)

    @staticmethod
    def _write(handle: int, content: bytes) -> None:
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, content)

    @staticmethod
    def _record(handle: int) -> dict[str, Any]:
        os.lseek(handle, 0, os.SEEK_SET)
        try:
            record = json.loads(os.read(handle, 4096))
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}


def told(record: dict[str, Any]) -> str:
    """A lock record in words: which process, where, since when."""
    if not record:
        return "another process"
    since = str(record.get("since", ""))[:16].replace("T", " ")
    return f"process {record.get('pid')} on {record.get('host')} since {since} UTC"
