"""Whether a task family is made as it has to be: its settings class, its hooks, its schedules.

A plug-in is somebody else's: whatever it raises becomes one sentence that names the family.
"""

import dataclasses
import typing
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from arqlight.checked_fields import Secret, WrongFields, checked
from arqlight.coroutine_functions import is_awaitable_function
from arqlight.errors import ArqlightError, SettingsError
from arqlight.imports import Exited, import_named, told
from arqlight.jobs.periodic_job import check_periodic_job
from arqlight.settings import OWN_NAMES, FamilySettings

_TYPES = (str, int, float, bool, Path, Secret)


def resolved(family: str, field: str, given: Any) -> Any:
    """What a field of a family names as `package.module:name`, else what it is. Raises SettingsError."""
    try:
        return import_named(f"family {family!r}: {field}", given, ":") if isinstance(given, str) else given
    except Exited as error:  # the module's code is not the command's
        raise SettingsError(str(error)) from error


def unusable(family: str, what: str, error: Exception) -> SettingsError:
    """The sentence for what a family's own code raised."""
    if isinstance(error, SettingsError):
        return error
    return SettingsError(f"family {family!r}: {what} raised {told(error)}; repair or uninstall its package")


def check_hook(family: str, field: str, hook: Any) -> None:
    """Raise SettingsError for a hook that cannot be awaited."""
    if hook is not None and not is_awaitable_function(hook):
        raise SettingsError(f"family {family!r}: {field} is no coroutine function; write async def")


def check_schedules(family: str, schedules: Any, tasks: Collection[str]) -> None:
    """Raise SettingsError for what is no list of periodic jobs, and for one whose task no family has."""
    if not isinstance(schedules, list | tuple):
        raise SettingsError(f"family {family!r}: schedules returns a {type(schedules).__name__}; it must be a list")
    for each in schedules:
        check_periodic_job(f"family {family!r}", each)
        if each.task not in tasks:
            raise SettingsError(
                f"family {family!r}: schedule {each.name!r} needs task {each.task!r}, and no installed family has it"
            )


def check_settings_class(family: str, kind: Any, taken: Mapping[str, str]) -> None:
    """Raise SettingsError for a class that is no settings, a field that cannot be one, or whose name is `taken`."""
    whose = f"family {family!r}: its settings"
    if not isinstance(kind, type) or not issubclass(kind, FamilySettings):
        raise SettingsError(f"{whose} are {kind!r}; name a class that inherits FamilySettings")
    where = f"{whose}, {kind.__name__},"
    if "__dataclass_fields__" not in vars(kind):
        raise SettingsError(f"{where} are no dataclass; write @dataclass(frozen=True) above the class")
    try:
        hints = typing.get_type_hints(kind)
    except Exception as error:  # a name that is not there, or anything that an annotation may do
        raise SettingsError(f"{where} have a type that cannot be read: {told(error)}") from error
    for each in dataclasses.fields(kind):
        if owner := "the core" if each.name in OWN_NAMES else taken.get(each.name):
            raise SettingsError(f"{where} have a field {each.name!r}, which is a setting of {owner}; rename it")
        _check_field(where, kind, each, hints[each.name])


def _check_field(where: str, kind: type[Any], field: dataclasses.Field[Any], hint: Any) -> None:
    choices = [each for each in typing.get_args(hint) if each is not type(None)]
    is_union = typing.get_origin(hint) is not None and type(None) in typing.get_args(hint)
    wanted = choices[0] if is_union and len(choices) == 1 else hint
    if wanted not in _TYPES and typing.get_origin(wanted) is not Literal:
        raise SettingsError(
            f"{where} have a field {field.name!r} of a type that no setting has; it may be str, int, float, bool, "
            "Path, Secret or Literal, each also | None"
        )
    if field.default is dataclasses.MISSING:
        raise SettingsError(f"{where} have a field {field.name!r} without a default; write option(default, about)")
    if field.default is None and is_union:
        return
    try:
        fits = getattr(_alone(kind, field, hint, field.default), field.name) == field.default
    except (WrongFields, ArqlightError):
        fits = False
    if not fits or isinstance(field.default, str) != (wanted is str or typing.get_origin(wanted) is Literal):
        raise SettingsError(f"{where} have a field {field.name!r} whose default {field.default!r} does not fit it")


def _alone(kind: type[Any], field: dataclasses.Field[Any], hint: Any, value: Any) -> Any:
    """The field in a dataclass of its own, checked with that value."""
    alone = dataclasses.make_dataclass(
        kind.__name__, [(field.name, hint, dataclasses.field(default=value, metadata=field.metadata))]
    )
    return checked(alone, {field.name: value})
