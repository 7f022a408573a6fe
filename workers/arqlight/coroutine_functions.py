"""Whether a function can be awaited, as far as that can be told before it is called."""

import inspect
from typing import Any


def is_awaitable_function(given: Any) -> bool:
    """Whether `await given(…)` may work: a plain `def` is refused, unless it wraps an `async def`.

    Of other callables (a lambda, an object) only the call tells.
    """
    inner = inspect.unwrap(given) if callable(given) else given
    is_plain = inspect.isroutine(inner) and getattr(inner, "__name__", "") != "<lambda>"
    return callable(given) and (not is_plain or inspect.iscoroutinefunction(inner))
