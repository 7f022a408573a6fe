"""Which values of a container are secrets by what stands beside them."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from arqlight.jobs.secret_names import is_header, is_secret

# `{"name": "Authorization", "value": "s"}`, as HAR files, Kubernetes and webhook settings write a list of names.
_NAMED_BY = ("name", "Name", "key", "Key", "header", "field", "param", "parameter")
_VALUES = ("value", "Value", "values", "val")
LONGEST_NAME = 60


def parts_of(container: Collection[Any], is_argument_list: bool = False) -> Iterator[tuple[Any, Any, bool]]:
    """Each value in it with its name (None where it has none), and whether it is a secret.

    :param is_argument_list: whether its elements are the arguments of a call, where the first of two names nothing.
    """
    if isinstance(container, Mapping):
        is_pair = any(_is_name(container.get(name)) for name in _NAMED_BY)
        for name, inner in container.items():
            yield name, inner, is_secret(name) or (is_pair and name in _VALUES)
        return
    is_pair = len(container) == 2 and not is_argument_list and isinstance(container, list | tuple)
    before: Any = None
    for inner in container:
        yield None, inner, _is_name(before) and (is_pair or _names_what_follows(before))
        before = inner


def _is_name(value: Any) -> bool:
    return (
        isinstance(value, str | bytes) and len(value) <= LONGEST_NAME and len(value.split()) == 1 and is_secret(value)
    )


def _names_what_follows(name: str | bytes) -> bool:
    """`--password`, `X-Api-Key`: of options and headers, not of words."""
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    return (text.startswith("--") and "=" not in text) or is_header(text)
