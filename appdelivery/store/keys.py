"""The master key: a file of 32 random bytes that wraps the data keys (store.md section 7).

Local stores have theirs beside the database; a server names one.  The database holds only its fingerprint.
"""

from __future__ import annotations

import hashlib
import os
import stat

from appdelivery import errors
from appdelivery.store import files

SIZE = 32
VARIABLE = "APPCTL_MASTER_KEY_FILE"  # of stores in PostgreSQL


def path_beside(store: str) -> str:
    return f"{store}.key"


def make(path: str) -> bytes:
    """A new key, on the disk before anything is sealed with it; an existing file is read instead."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, 0o600)
    except FileExistsError:
        return _needed(path)
    except OSError as error:
        raise files.cannot("create the master key", path, error) from error
    key = os.urandom(SIZE)
    try:
        os.write(handle, key)
        os.fsync(handle)
    except OSError as error:
        os.unlink(path)
        raise files.cannot("create the master key", path, error) from error
    finally:
        os.close(handle)
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return key


def read(path: str) -> bytes | None:
    """None when there is no such file."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(path, (error.strerror or "cannot be opened").lower()) from error
    try:
        found = os.fstat(handle)
        if found.st_uid != os.geteuid():
            raise _refused(path, f"it belongs to user {found.st_uid}, this is user {os.geteuid()}")
        if found.st_mode & 0o077:
            raise _refused(path, f"others may read it (mode {stat.S_IMODE(found.st_mode):04o}); it must be 0600")
        key = os.read(handle, SIZE + 1)
    finally:
        os.close(handle)
    if len(key) != SIZE:
        raise _refused(path, f"a master key has {SIZE} bytes, this file {'more' if len(key) > SIZE else len(key)}")
    return key


def fingerprint(key: bytes) -> str:
    return hashlib.sha256(b"appdelivery master key\0" + key).hexdigest()[:16]


def _needed(path: str) -> bytes:
    key = read(path)
    if key is None:
        raise _refused(path, "it vanished while it was read")
    return key


def _refused(path: str, why: str) -> errors.StoreError:
    return errors.StoreError(
        f"read the master key {path}: {why}", code="store.master-key", hint=f"check the file, then: chmod 600 {path}"
    )
