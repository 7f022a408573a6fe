"""One request to a marketplace, and what its answers mean: errors in plain words, bounded bodies, a deadline."""

import re
from dataclasses import dataclass
from typing import Any

import aiohttp

from arqlight.checked_fields import Secret
from arqlight.errors import NotYet, PermanentFailure
from arqlight.families.retry_after import retry_after_s
from arqlight.jobs.bounded_json import read_bounded
from arqlight.jobs.budget import ANSWERED, Budget

REQUEST_TIMEOUT_S = 30
LONGEST_WAIT_S = 3600.0
DEFAULT_WAIT_S = 60.0
LONGEST_NUMBER = 4_000  # digits: Python reads no longer ones
_TITLE = re.compile(r"<title[^>]*>([^<]{0,200})", re.I)


class TokenMissing(PermanentFailure):
    """No token is set for the marketplace."""


class TokenRefused(PermanentFailure):
    """The marketplace does not take the token: wrong, expired, or without a permission."""


class MarketplaceTrouble(Exception):
    """The marketplace answers with an error of its own: try again."""


class UnexpectedAnswer(PermanentFailure):
    """The marketplace answers something that its documentation does not say."""


@dataclass(frozen=True, slots=True)
class Api:
    """An API of a marketplace that takes a bearer token.

    :param title: the marketplace, for messages.
    :param without_token: what to do where `token` is None.
    """

    session: aiohttp.ClientSession
    title: str
    token: Secret | None
    without_token: str
    accept: str = "application/json"

    async def get_json(self, url: str, params: dict[str, str]) -> Any:
        """GET a page. Raises as `Reader.read`."""
        if self.token is None:
            raise TokenMissing(f"no token for {self.title} is set; {self.without_token}")
        headers = {"Authorization": f"Bearer {self.token.get_secret_value()}", "Accept": self.accept}
        limit = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        try:
            async with self.session.get(
                url, params=params, headers=headers, timeout=limit, allow_redirects=False
            ) as response:
                _check_status(response, self.title, url)
                body = await _read_bounded(response, self.title)
        except TimeoutError as error:
            raise MarketplaceTrouble(f"{self.title} did not answer within {REQUEST_TIMEOUT_S} s") from error
        except aiohttp.ClientError as error:
            raise MarketplaceTrouble(f"{self.title} cannot be reached: {type(error).__name__}: {error}") from error
        try:
            return read_bounded(body, Budget(ANSWERED), parse_int=_whole_number)
        except ValueError as error:  # OverBudget is one
            raise MarketplaceTrouble(_not_json(self.title, body, response.content_type, error)) from error


def _check_status(response: aiohttp.ClientResponse, name: str, url: str) -> None:
    status, said = response.status, f"{name} answers {response.status} {response.reason}"
    if status == 200:
        return
    if status == 401:
        raise TokenRefused(f"{name} does not take the token (401): it is wrong, or it has expired; set a new one")
    if status == 403:
        raise TokenRefused(
            f"{name} takes the token, but it lacks the permission to read sales (403); make one that has it"
        )
    asked_s = retry_after_s(response.headers.get("Retry-After"))
    if status == 429 or (status == 503 and asked_s is not None):
        wait_s = min(DEFAULT_WAIT_S if asked_s is None else asked_s, LONGEST_WAIT_S)
        raise NotYet(wait_s, f"{name} asks to wait {wait_s:g} s ({status})")
    if status >= 500 or status == 408:
        raise MarketplaceTrouble(said)
    if status in (301, 302, 303, 307, 308):
        raise MarketplaceTrouble(f"{said}: it leads elsewhere instead of answering")
    raise UnexpectedAnswer(f"{said} at {url}")


async def _read_bounded(response: aiohttp.ClientResponse, name: str) -> bytes:
    """The answer, unpacked as far as the bound: a few KB of gzip may stand for many GB."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > ANSWERED.size:
            raise UnexpectedAnswer(f"{name} answers more than {ANSWERED.size:,} bytes at once")
    return bytes(body)


def _whole_number(digits: str) -> int | str:
    """A number that Python would not read stays a text, which is then no amount: it costs its entry, not the page."""
    return int(digits) if len(digits) < LONGEST_NUMBER else digits


def _not_json(name: str, body: bytes, content_type: str, error: Exception) -> str:
    start = body[:4096].decode("utf-8", "replace")
    if "html" in content_type or start.lstrip()[:1] == "<":
        title = _TITLE.search(start)
        about = f" ({' '.join(title[1].split())[:100]!r})" if title else ""
        return f"{name} answers an HTML page{about}, not JSON"
    return f"{name} answers something that is not JSON, or too much: {error}"
