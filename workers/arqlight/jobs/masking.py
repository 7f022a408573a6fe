"""Which values of settings and of a job's arguments are secrets, to be kept out of all texts (`secret_texts.hide`)."""

from collections.abc import Mapping
from dataclasses import fields
from itertools import islice
from typing import Any

from arqlight.checked_fields import Secret, is_secret_field
from arqlight.jobs.secret_names import is_secret, mask_also
from arqlight.jobs.secret_texts import hide_always, passwords_in
from arqlight.settings import OWN_NAMES, FamilySettings, Settings, split_names

DEEPEST = 5
MOST_LOOKED_AT = 100_000  # values; what lies deeper than these is looked at last
LARGEST_SECRET_BITS = 4_096  # of a number: Python prints none that is much larger


def hide_what_is_set(settings: Settings) -> None:
    """Mask what the settings hold of secrets, and values under the names they list, in all texts of this process."""
    mask_also(split_names(settings.mask))
    hide_always(secrets_of(settings))


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Every secret that is set; what is set for task families is one by its name, or where a family declares it so."""
    own = [value for name in OWN_NAMES if isinstance(value := getattr(settings, name), Secret)]
    addresses = [value for name in OWN_NAMES if isinstance(value := getattr(settings, name), str)]
    kept = [value for name, value in settings.for_families.items() if is_secret(name) or _is_declared_secret(name)]
    texts = (value.get_secret_value() if isinstance(value, Secret) else str(value) for value in (*own, *kept))
    set_values = [text for text in texts if text and text != "None"]
    passwords = [password for text in (*set_values, *addresses) for password in passwords_in(text)]
    return tuple(dict.fromkeys((*set_values, *passwords)))


def _is_declared_secret(name: str) -> bool:
    return any(
        each.name == name and is_secret_field(kind, name)
        for kind in FamilySettings.__subclasses__()
        for each in fields(kind)
    )


def secrets_in(value: Mapping[Any, Any]) -> list[str]:
    """The values under names that say they are secret (`is_secret`), in arguments nested up to 5 deep, as texts.

    Each container is looked at once, where it stands least deep, however many hold it.
    """
    found: list[str] = []
    level: list[tuple[Any, bool]] = [(value, False)]
    seen, left = {id(value)}, MOST_LOOKED_AT
    for _ in range(DEEPEST + 1):
        inside: list[tuple[Any, bool]] = []
        for each, all_is_secret in level:
            named = each.items() if isinstance(each, Mapping) else ((None, inner) for inner in each)
            for name, inner in islice(named, left):
                left -= 1
                is_one = all_is_secret or is_secret(name)
                if is_one:
                    found += _texts_of(inner)
                if isinstance(inner, Mapping | list | tuple | set | frozenset) and id(inner) not in seen:
                    seen.add(id(inner))
                    inside.append((inner, is_one))
        level = inside
    return found


def _texts_of(value: Any) -> list[str]:
    if isinstance(value, bytes):
        return [value.decode("utf-8", "replace"), repr(value)[2:-1]]
    if isinstance(value, bool) or (isinstance(value, int) and value.bit_length() > LARGEST_SECRET_BITS):
        return []
    return [str(value)] if value and isinstance(value, str | int | float) else []
