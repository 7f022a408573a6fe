"""Errors as answers: RFC 9457 problem details for programmes, a page for people."""

import errno
import json
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import aiohttp_jinja2
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from redis.exceptions import ConnectionError, RedisError, TimeoutError

from arqlight.errors import (
    Conflict,
    CursorInvalid,
    DatabaseMissing,
    DatabaseUnreachable,
    Forbidden,
    InvalidInput,
    JobExists,
    JobNotCancellable,
    JobNotFound,
    JobNotRetryable,
    NotFound,
    NotSupported,
    ReadOnly,
    SettingsError,
    Unusable,
)
from arqlight.jobs.names import shown_name
from arqlight_service.api.accept import wants_page

logger = logging.getLogger("arqlight.service")
LONGEST_REASON = 300
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_STATUS: dict[type[Exception], int] = {
    JobNotFound: 404,
    JobExists: 409,
    JobNotRetryable: 409,
    Conflict: 409,
    JobNotCancellable: 409,
    CursorInvalid: 400,
    InvalidInput: 422,
    NotFound: 404,
    NotSupported: 404,
    Forbidden: 403,
    DatabaseMissing: 503,
    DatabaseUnreachable: 503,
    SettingsError: 503,
    ReadOnly: 409,
    Unusable: 503,
}


class Problem(Exception):
    """An answer that says what was wrong with a request; `extra` are further members of the problem."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.extra = extra


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a handler raises into an answer; nothing unexpected leaves the service without a line in the log."""
    try:
        return await handler(request)
    except Problem as problem:
        return _answer(request, problem)
    except tuple(_STATUS) as error:
        extra: dict[str, Any] = {"field": error.field} if isinstance(error, InvalidInput) else {}
        if isinstance(error, JobNotFound):
            extra["job"] = shown_name(error.job_id)
        status = next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
        return _answer(request, Problem(status, str(error), **extra))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        allowed = error.allowed_methods if isinstance(error, web.HTTPMethodNotAllowed) else ()
        allow = {"Allow": ", ".join(sorted({*allowed, "OPTIONS"}))} if allowed else {}
        return _answer(request, Problem(error.status, _say(request, error), allow))
    except (HttpProcessingError, web.RequestPayloadError) as error:  # a body that is not coded as its headers say
        return _answer(request, Problem(400, f"the request cannot be read: {error}"[:LONGEST_REASON]))
    except (ConnectionError, TimeoutError) as error:
        return _answer(request, Problem(503, f"the Redis or Valkey server does not answer: {error}"))
    except RedisError as error:
        logger.exception("%s %s: the server refused", request.method, request.path)
        return _answer(request, Problem(503, f"the Redis or Valkey server refused: {error}"))
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:  # of a file: no such file is there
            return _answer(request, Problem(404, f"nothing is at {request.path[:LONGEST_REASON]}"))
        if _is_of_database(error):
            logger.exception("%s %s: the database refused", request.method, request.path)
            return _answer(request, Problem(503, f"PostgreSQL does not answer as it should: {type(error).__name__}"))
        logger.exception("%s %s failed", request.method, request.path)
        return _answer(request, Problem(500, "an error of ours; the service's log has the stack trace"))


def _is_of_database(error: Exception) -> bool:
    """Whether it is SQLAlchemy's, which is there with the extra `postgres` only."""
    return any(kind.__module__ == "sqlalchemy.exc" for kind in type(error).__mro__)


def is_form(request: web.Request) -> bool:
    """Whether a person sent this from a form, not a programme."""
    return request.content_type == "application/x-www-form-urlencoded"


def _say(request: web.Request, error: web.HTTPException) -> str:
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return f"the body is larger than {request.client_max_size} bytes (ARQLIGHT_MAX_BODY_BYTES); send less"
    if error.status == 404:
        return f"nothing is at {request.path}"
    if error.status == 405:
        return f"{request.method} is not for {request.path}; allowed: {error.headers.get('Allow', 'nothing')}"
    return error.text or error.reason


def _answer(request: web.Request, problem: Problem) -> web.Response:
    title = HTTPStatus(problem.status).phrase
    is_page = is_form(request) or not request.path.startswith("/api/")
    if is_page and wants_page(request):
        page = {"title": title, "status": problem.status, "detail": problem.detail}
        response = aiohttp_jinja2.render_template("problem.html", request, page, status=problem.status)
        response.headers.update(problem.headers)
        return response
    body = {
        "type": "about:blank",
        "title": title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": request.path,
        **problem.extra,
    }
    return web.Response(
        status=problem.status, text=json.dumps(body), content_type="application/problem+json", headers=problem.headers
    )
