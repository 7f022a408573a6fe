"""What the API takes: bodies and queries, checked, with an answer that names the field and the reason."""

import datetime
import math
import re
from typing import Annotated, Any, TypeVar, get_origin
from urllib.parse import parse_qsl

from aiohttp import web
from arq.constants import health_check_key_suffix
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from arqlight.errors import OverBudget
from arqlight.jobs.bounded_json import TooDeep, read_bounded
from arqlight.jobs.budget import ASKED, Budget
from arqlight.jobs.names import name_shown_as, shown_name
from arqlight_service.api.problems import Problem, is_form

MOST_FIELDS = 10_000
CSRF_FIELD = "_csrf"  # what a page sends along; the guard reads it


def _clean_id(text: str) -> str:
    """Ids are shown, linked and stored: any characters but those that cannot be."""
    if not text.isprintable():
        raise ValueError("it holds control characters or text that is not valid Unicode")
    if text in (".", ".."):
        raise ValueError(f"{text!r} means another address wherever it stands in one; choose another id")
    if shown_name(text) != text:
        raise ValueError(r"\\x and two digits in it is how a byte is shown; choose another id")
    return text


def _meant_id(shown: str) -> str:
    """The job's id, as lists show it: those of arq's clients may hold any bytes."""
    if any(0xD800 <= ord(character) <= 0xDFFF or ord(character) < 32 for character in shown):
        raise ValueError("it holds control characters or text that is not valid Unicode; give the id as it is shown")
    return name_shown_as(shown)


def _lane(name: str) -> str:
    """arq keeps each queue's health check beside it, under a name that a lane could have."""
    if f":{name}".endswith(health_check_key_suffix):
        raise ValueError(f"{name!r} is where arq keeps a health check; choose another name")
    return name


Model = TypeVar("Model", bound=BaseModel)
JobId = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_clean_id)]
KnownId = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_meant_id)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Lane = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$"), AfterValidator(_lane)]


def _zoned(value: object) -> object:
    """A time without a zone is UTC: forms of a browser send none."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?", value):
        return (value if "T" in value else f"{value}T00:00") + "Z"
    return value


def _in_utc(moment: datetime.datetime) -> datetime.datetime:
    """Other ways to write a time without a zone, such as with a blank in its middle."""
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


AwareDatetime = Annotated[datetime.datetime, BeforeValidator(_zoned), AfterValidator(_in_utc)]


class Strict(BaseModel):
    """Input of which nothing is ignored."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


def split_text(value: object) -> object:
    """A list as a person writes it: one text, with commas."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        value = ",".join(value)
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def from_json(value: object) -> object:
    """A form sends what a person typed: JSON."""
    if not isinstance(value, str):
        return value
    try:
        return loads(value)
    except ValueError as error:  # OverBudget is one
        raise ValueError(f"it is not JSON: {error}") from None


def loads(text: str) -> Any:
    """JSON as everybody reads it: no NaN and Infinity (nor 1e999), no name twice, no deeper than it can be written.

    Raises ValueError, OverBudget (TooDeep).
    """
    try:
        return read_bounded(
            text, Budget(ASKED), parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_no_name_twice
        )
    except ValueError as error:
        if "set_int_max_str_digits" in str(error):  # Python's advice is none for who sent it
            raise ValueError("it holds a whole number of thousands of digits") from None
        raise


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which of the two counts (RFC 8259, 4)."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name[:100]!r} stands twice in one object")
        found[name] = value
    return found


async def read_json(request: web.Request) -> Any:
    """The body, as JSON in UTF-8. Raises Problem: 400 for what is none, 415 for another kind, 422 for too deep."""
    return read_body(await read_text(request))


async def read_text(request: web.Request) -> str:
    """A body that says it is JSON, not read yet. Raises Problem: 400 for another encoding, 415 for another kind."""
    check_content_type(request)
    try:
        return (await request.read()).decode("utf-8")
    except ValueError as error:
        raise Problem(400, f"the body is not JSON: {error}") from error


def read_body(text: str) -> Any:
    """JSON of a body. Raises Problem: 400 for what is none, 422 for too deep."""
    try:
        return loads(text)
    except TooDeep as error:
        raise Problem(422, f"body: {error}", field="body") from error
    except OverBudget as error:
        raise Problem(400, f"the body is not JSON that can be read: {error}") from error
    except ValueError as error:
        raise Problem(400, f"the body is not JSON: {error}") from error


def _no_number(name: str) -> None:
    """Python reads NaN and Infinity, which JSON does not have (RFC 8259, 6), and no other reader takes."""
    raise ValueError(f"{name} is no number of JSON's")


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"{text[:50]} is too large a number")
    return number


async def parse_input(request: web.Request, model: type[Model]) -> Model:
    """What a programme sent as JSON or a person as a form. Raises Problem: 400 for neither, 422 naming the field."""
    body: Any
    if is_form(request):
        lists = {name for name, field in model.model_fields.items() if get_origin(field.annotation) is list}
        body = {}
        for name, value in await read_form(request):
            if name == CSRF_FIELD:
                continue
            # Of a field given twice the last one counts (a checkbox comes behind its hidden "false"), but in a list.
            if name in lists:
                body.setdefault(name, []).append(value)
            else:
                body[name] = value
    else:
        body = await read_json(request) if request.body_exists else {}
    return validate(model, body)


def check_content_type(request: web.Request) -> None:
    """Raises Problem 415 for a body that says it is neither JSON nor a form; one that says nothing is JSON."""
    if not request.body_exists or "Content-Type" not in request.headers or is_form(request):
        return
    kind = request.content_type
    if kind != "application/json" and not kind.endswith("+json"):
        raise Problem(415, f"the body is {kind[:100]!r}; send application/json", headers={"Accept": "application/json"})


async def read_form(request: web.Request) -> list[tuple[str, str]]:
    """A form's fields in order. aiohttp's own reading lets bytes through that are not UTF-8. Raises Problem 400."""
    try:
        if (request.charset or "utf-8").lower() != "utf-8":
            raise ValueError(f"its encoding is {request.charset!r}, not UTF-8")
        raw = (await request.read()).decode("ascii")  # all else is percent-encoded
        return parse_qsl(raw, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise Problem(400, f"the form cannot be read: {error}") from error


def check_query(request: web.Request, model: type[BaseModel] | None, by_connection: bool) -> dict[str, str]:
    """What is not empty of the query, without `connection`. Raises Problem 400 for a parameter that `model` has not."""
    known = [*(model.model_fields if model else ()), *(["connection"] if by_connection else [])]
    unknown = sorted(set(request.query) - set(known))
    if unknown:
        there = f"there are {', '.join(known)}" if known else "this call takes none"
        raise Problem(400, f"unknown parameter {unknown[0][:100]!r}; {there}", field=unknown[0][:100])
    if len(request.query) > len(set(request.query)):
        twice = next(name for name in request.query if len(request.query.getall(name)) > 1)
        raise Problem(400, f"parameter {twice[:100]!r} was given more than once; give it once", field=twice[:100])
    return {name: value for name, value in request.query.items() if value and name != "connection"}


def parse_query(request: web.Request, model: type[Model]) -> Model:
    """The query of a page that shows a connection. Raises Problem 400."""
    return validate(model, check_query(request, model, True), 400)


def validate(model: type[Model], body: Any, status: int = 422) -> Model:
    """`body` as a model. Raises Problem, which names the first field that is wrong."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise _problem(error, status) from error


def _problem(error: ValidationError, status: int) -> Problem:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "body"
    return Problem(status, f"{field}: {first['msg'].removeprefix('Value error, ')}", field=field)
