"""Files and folders that nobody but their owner gets into, whatever the umask is."""

import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

FILE, FOLDER = 0o600, 0o700
OTHERS = 0o077


def make_folder(path: Path) -> None:
    """Make it, and what of its parents is missing. A folder that is there stays as it is."""
    if path.is_dir():
        return
    if path != path.parent:
        make_folder(path.parent)
    try:
        path.mkdir(FOLDER)
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        path.chmod(FOLDER)  # a umask may have taken more


def open_file(path: Path, mode: str) -> IO[Any]:
    """`open` for writing. A link in its place is not followed."""
    opened = open(path, mode, opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, FILE))  # noqa: SIM115
    os.fchmod(opened.fileno(), FILE)
    return opened


def write_text(path: Path, text: str) -> None:
    """Put a file with this text there, whole: who reads sees all of it, or what was there before."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    draft.unlink(missing_ok=True)
    with open_file(draft, "x") as file:
        file.write(text)
    draft.replace(path)


def is_of_others(path: Path) -> bool:
    """Whether somebody else than this user and root may have written what stands there."""
    found = path.stat()
    return found.st_uid not in (0, os.geteuid()) or bool(found.st_mode & stat.S_IWOTH)


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock (`flock`) of a file."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def close_all(folder: Path, names: Iterable[str]) -> int:
    """Close to others the entries `names` of a folder and all below them; how many had any.

    The folder itself is closed where nothing else is in it: one that holds other things, or that all users share
    (/tmp), is not ours to close. What belongs to another user stays as it is, for
    root too.
    """
    try:
        present = set(os.listdir(folder))
        about = folder.stat()
    except (FileNotFoundError, PermissionError):
        return 0
    if about.st_uid not in (0, os.geteuid()):
        return 0
    is_shared = bool(about.st_mode & stat.S_ISVTX)
    ours = present & set(names)
    closed = 0 if is_shared or present - ours else close(folder)
    for name in sorted(ours):
        closed += sum(map(close, _with_all_below(folder / name)))
    return closed


def _with_all_below(path: Path) -> Iterator[Path]:
    """A folder comes before what is in it: once it is closed, nobody puts something else there. No link is followed."""
    yield path
    if not path.is_symlink():
        for folder, folders, files in os.walk(path):
            yield from (Path(folder, name) for name in (*folders, *files))


def close(path: Path) -> int:
    """Take the rights of others from a file or a folder; 1 where they had any, 0 where not or it is not ours."""
    try:
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or not mode & OTHERS:
            return 0
        path.chmod(stat.S_IMODE(mode) & ~OTHERS)
    except OSError:  # a server removed it just now; it is another user's; the disk is read-only
        return 0
    return 1
