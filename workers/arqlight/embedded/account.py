"""Who the embedded PostgreSQL runs as: this user, but for root, whom PostgreSQL refuses.

Root's server runs as an account of its own, which owns the folder of the data and nothing else. The folders above stay
closed to it: it is handed the open folder, and names it by that (Linux).
"""

import contextlib
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arqlight.errors import SettingsError

NAME = "embedded_postgres"


@dataclass(frozen=True)
class Account:
    """How its processes are started.

    :param folder: the name of the folder of the data, to them.
    :param as_whom: for `subprocess.run`; empty for this user.
    """

    folder: str
    as_whom: dict[str, Any] = field(default_factory=dict)

    def own(self, path: Path) -> None:
        """Give the account a folder."""
        if self.as_whom:
            os.chown(path, self.as_whom["user"], self.as_whom["group"])


@contextlib.contextmanager
def account(folder: Path, programs: Path) -> Iterator[Account]:
    """Who runs the server of a folder. Raises SettingsError where root has no account for it."""
    if os.geteuid() != 0:
        yield Account(str(folder))
        return
    found = _made()
    _open_the_way(programs)
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        runs_as = Account(
            f"/proc/self/fd/{opened}",
            {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": (), "pass_fds": (opened,), "cwd": "/"},
        )
        runs_as.own(folder)
        yield runs_as
    finally:
        os.close(opened)


def _made() -> pwd.struct_passwd:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(NAME)
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME]
    try:
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        raise SettingsError(
            f"PostgreSQL does not run as root, and the account {NAME!r} for it cannot be made ({error}); "
            "start `arqlight up` as another user, or set ARQLIGHT_DATABASE_URL"
        ) from error
    return pwd.getpwnam(NAME)


def _open_the_way(programs: Path) -> None:
    """Let the account pass through the folders above the programs, which it cannot be handed: PostgreSQL looks for its
    own by name. Others may then pass, not list them."""
    for above in (programs, *programs.parents):
        mode = stat.S_IMODE(above.stat().st_mode)
        if not mode & stat.S_IXOTH:
            above.chmod(mode | stat.S_IXOTH)
            sys.stderr.write(f"arqlight: {str(above)!r} may be passed through: PostgreSQL's programs are below it\n")
