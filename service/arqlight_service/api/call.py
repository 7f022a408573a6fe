"""A call of the API, stated once where its handler is written: who may, what it takes, what it answers.

The document is made of this (`documents/openapi.py`), the guard reads the role from it, and the handler gets what was
taken, checked.
"""

import functools
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import BaseModel, TypeAdapter

from arqlight.jobs.secret_texts import hide_known
from arqlight.journal.audit_entry import Kind
from arqlight_service.api.idempotency import answer_once
from arqlight_service.api.requests import check_query, parse_input, validate
from arqlight_service.auth.roles import Role, needs

Handler = Callable[..., Awaitable[web.StreamResponse]]
CallHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_MARK = "__call__spec__"
# Tests turn this on: each answer is then held against its shape, and one that does not fit is an error.
CHECK_ANSWERS = False


@dataclass(frozen=True, slots=True)
class Call:
    """What a call is.

    :param answers: the shape of each success, by status; None for one without a body.
    :param query, body: what it takes; the handler gets them after the request, in this order.
    :param refuses: statuses of problems beside those that any call may have.
    :param by_connection: whether `?connection=` chooses where.
    :param shown_once: whether its answer holds a secret, and is not kept for one who sends the request again.
    :param lines: whether it also answers with lines of JSON, each an object.
    :param csv: whether it also answers with CSV (RFC 4180), a row for each of these lines.
    """

    tag: str
    answers: dict[int, Any]
    query: type[BaseModel] | None = None
    body: Any = None
    refuses: tuple[int, ...] = ()
    by_connection: bool = False
    shown_once: bool = False
    lines: bool = False
    csv: bool = False


def call(
    role: Role,
    purpose: str = "",
    *,
    tag: str,
    answers: dict[int, Any],
    query: type[BaseModel] | None = None,
    body: Any = None,
    refuses: tuple[int, ...] = (),
    by_connection: bool = False,
    shown_once: bool = False,
    does: str = "",
    kind: Kind = "change",
    lines: bool = False,
    csv: bool = False,
) -> Callable[[Handler], CallHandler]:
    """State what a handler of the API is (see `Call`; `role`, `purpose`, `does` and `kind` as in `roles.Need`).

    A query parameter that the call does not know is refused with 400, a body of another kind than JSON or a form with
    415, and one that does not fit with 422.
    """
    stated = Call(tag, answers, query, body, refuses, by_connection, shown_once, lines, csv)

    def mark(handler: Handler) -> CallHandler:
        @functools.wraps(handler)
        async def run(request: web.Request) -> web.StreamResponse:
            return await answer_once(request, functools.partial(_answer, request), keep=not shown_once)

        async def _answer(request: web.Request) -> web.StreamResponse:
            taken: list[BaseModel] = []
            given = check_query(request, stated.query, stated.by_connection)
            if stated.query is not None:
                taken.append(validate(stated.query, given, 400))
            if isinstance(stated.body, type):  # of several, the handler finds out which
                taken.append(await parse_input(request, stated.body))
            response = await handler(request, *taken)
            if CHECK_ANSWERS:
                _check(stated, response)
            if isinstance(response, web.Response) and response.text is not None:
                response.text = hide_known(response.text)
            return response

        setattr(run, _MARK, stated)
        return needs(role, purpose, does, "secret" if shown_once else kind)(run)

    return mark


def call_of(handler: Any) -> Call | None:
    """What a handler states; None for one that is no call of the API."""
    stated: Call | None = getattr(handler, _MARK, None)
    return stated


def _check(stated: Call, response: web.StreamResponse) -> None:
    shape = stated.answers[response.status]
    if shape is not None and not (stated.lines and not isinstance(response, web.Response)):
        text = response.text if isinstance(response, web.Response) else None
        TypeAdapter(shape).validate_python(json.loads(text or "null"), strict=False)
