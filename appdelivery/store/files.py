"""The store's file and folder: made private, checked before SQLite sees them (store.md section 9).

Called by `opening` code of this room and by backup.  The database file itself is never opened here once it exists:
closing any handle of it would drop the locks that SQLite holds in this process.
"""

from __future__ import annotations

import os
import stat

from appdelivery import errors

NETWORK = frozenset(("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "glusterfs", "sshfs"))
MOUNTS = "/proc/self/mountinfo"


def make_folder(path: str) -> None:
    """0700, whatever the umask; parents as the user's other folders are."""
    folder = os.path.dirname(path)
    if os.path.isdir(folder):
        return
    try:
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        os.mkdir(folder, 0o700)
    except FileExistsError:
        return  # another process was faster
    except OSError as error:
        raise cannot("create the folder of the store", folder, error) from error


def make_file(path: str) -> None:
    """An empty file of mode 0600; an existing one stays as it is."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise cannot("create the store", path, error) from error


def remove(path: str) -> None:
    """A file that may not be there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot("remove", path, error) from error


def check_owner(path: str, *, write: bool) -> list[str]:
    """Notices; refuses what another user owns, tightens what others may read."""
    try:
        found = os.stat(path)
    except OSError as error:
        raise cannot("open the store", path, error) from error
    if not stat.S_ISREG(found.st_mode):
        raise errors.StoreError(
            f"open the store {path}: it is not a file", code="store.not-a-file", hint="name a file with --store"
        )
    if found.st_uid != os.geteuid():
        if write:
            raise errors.ReadOnly(
                f"open the store {path} for writing: it belongs to user {found.st_uid}, this is user {os.geteuid()}",
                code="store.foreign-owner",
                hint="run the command as its owner, or name another store with --store",
            )
        return []
    if write and not (os.access(path, os.W_OK) and os.access(os.path.dirname(path), os.W_OK)):
        raise errors.ReadOnly(
            f"open the store {path} for writing: the file or its folder is read-only here",
            hint="make both writable, or name another store with --store",
        )
    if write and found.st_mode & 0o077:
        os.chmod(path, 0o600)
        return [f"{path} had mode {stat.S_IMODE(found.st_mode):04o}, so others could read it: now 0600"]
    return []


def check_disk(path: str, mounts: str = MOUNTS) -> None:
    """WAL needs memory shared by all who open the file, which a network file system cannot give."""
    kind = file_system(os.path.dirname(os.path.realpath(path)), mounts)
    if kind.removeprefix("fuse.") in NETWORK:
        raise errors.StoreError(
            f"open the store {path}: it lies on a network file system ({kind}), where SQLite loses data",
            code="store.network-file-system",
            hint="name a file on a local disk with --store, or use PostgreSQL: --store postgresql://...",
        )


def file_system(folder: str, mounts: str = MOUNTS) -> str:
    """The type of the mount that holds a folder; '' where there is no mount table."""
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return ""
    best, kind = "", ""
    for line in lines:
        front, _, back = line.partition(" - ")
        point = _unescaped(front.split(" ")[4])
        inside = folder == point or folder.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # of several mounts on one point the last one is seen
            best, kind = point, back.split(" ", 1)[0]
    return kind


def _unescaped(text: str) -> str:
    for code, sign in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, sign)
    return text


def cannot(doing: str, path: str, error: OSError) -> errors.StoreError:
    """What stopped a call of the operating system, in our words."""
    import errno

    why = (error.strerror or str(error)).lower()
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return errors.Full(f"{doing} {path}: {why}", hint="free some space and run the command again")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return errors.ReadOnly(f"{doing} {path}: {why}", hint="make the folder writable, or name another store with --store")
    return errors.StoreError(f"{doing} {path}: {why}", hint="name another store with --store")
