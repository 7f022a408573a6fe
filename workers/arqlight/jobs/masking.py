"""Which values of settings and of a job's arguments are secrets, to be kept out of all texts (`secret_texts.hide`)."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from itertools import islice
from typing import Any

from arqlight.checked_fields import Secret, is_secret_field
from arqlight.jobs.display import LONGEST_TEXT, MOST_CHARACTERS
from arqlight.jobs.secret_names import is_secret, mask_also
from arqlight.jobs.secret_places import parts_of
from arqlight.jobs.secret_texts import hide_always, passwords_in, values_in
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


def secrets_in_call(args: Sequence[Any], kwargs: Mapping[Any, Any]) -> tuple[str, ...]:
    """Those of a job's arguments, to be masked wherever else they stand."""
    return tuple(secrets_in({"args": args, **kwargs}))


def secrets_in(value: Mapping[Any, Any]) -> list[str]:
    """The values that are secret by their name or place (`parts_of`), in arguments nested up to 5 deep, as texts.

    Each container is looked at once, where it stands least deep, however many hold it. Texts are looked into as well:
    JSON, headers, commands.
    """
    found: dict[str, None] = {}
    level: list[tuple[Any, bool]] = [(value, False)]
    seen, left, characters = {id(value)}, MOST_LOOKED_AT, MOST_CHARACTERS
    for depth in range(DEEPEST + 1):
        inside: list[tuple[Any, bool]] = []
        for each, all_is_secret in level:
            for _, inner, is_one in islice(parts_of(each, is_argument_list=depth == 1), left):
                left -= 1
                is_one = is_one or all_is_secret
                if is_one:
                    found.update(dict.fromkeys(_texts_of(inner)))
                elif isinstance(inner, str) and characters > 0:
                    text = inner[:LONGEST_TEXT]
                    characters -= len(text)
                    found.update(dict.fromkeys(values_in(text)))
                if isinstance(inner, Mapping | list | tuple | set | frozenset) and id(inner) not in seen:
                    seen.add(id(inner))
                    inside.append((inner, is_one))
        level = inside
    return list(found)


def _texts_of(value: Any) -> list[str]:
    if isinstance(value, bytes):
        return [value.decode("utf-8", "replace"), repr(value)[2:-1]]
    if isinstance(value, bool) or (isinstance(value, int) and value.bit_length() > LARGEST_SECRET_BITS):
        return []
    return [str(value)] if value and isinstance(value, str | int | float) else []
