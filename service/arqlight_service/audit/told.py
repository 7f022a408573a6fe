"""What a handler adds to the audit entry of its request: what was there before and after, and who it was."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web


@dataclass(slots=True)
class Told:
    """Nothing of it has to be told: the route, the asker and the answer's status are known."""

    who: str = ""
    what: str = ""
    before: Any = None
    after: Any = None


TOLD = web.RequestKey("told", Told)


def tell(request: web.Request, *, who: str = "", what: str = "", before: Any = None, after: Any = None) -> None:
    """Add it; what is left out stays as it is."""
    told = request[TOLD]
    told.who, told.what = who or told.who, what or told.what
    told.before = told.before if before is None else before
    told.after = told.after if after is None else after
