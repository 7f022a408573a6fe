"""Which role somebody gets whom a proxy or an OpenID Connect provider signed in: by the name, as the settings say."""

from fnmatch import fnmatchcase

from arqlight.errors import SettingsError
from arqlight.settings import split_names
from arqlight_service.auth.folded_names import folded, is_stable
from arqlight_service.auth.roles import Role, role_named

LONGEST_NAME = 200


class Grants:
    """`ada@example.org=admin,*@example.org=viewer`: the first pattern that fits counts. Raises SettingsError."""

    def __init__(self, text: str) -> None:
        self._grants: list[tuple[str, Role]] = []
        for entry in split_names(text):
            pattern, _, name = entry.rpartition("=")
            role = role_named(name)
            if not pattern or role is None:
                raise SettingsError(
                    f"ARQLIGHT_ROLES: {entry!r} is not pattern=role with one of viewer, operator, admin"
                )
            if not is_stable(pattern):
                raise SettingsError(f"ARQLIGHT_ROLES: {pattern!r} fits nobody; write it as Unicode's NFKC does")
            self._grants.append((folded(pattern), role))

    def role_of(self, name: str) -> Role | None:
        """The role of that name; None for one that no pattern fits, that is no name, or that looks like another."""
        if not name or len(name) > LONGEST_NAME or not name.isprintable() or not is_stable(name):
            return None
        return next((role for pattern, role in self._grants if fnmatchcase(folded(name), pattern)), None)
