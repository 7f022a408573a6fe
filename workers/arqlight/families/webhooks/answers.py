"""What a receiver's answer means: taken, try again, or never again."""

from dataclasses import dataclass
from time import perf_counter
from urllib.parse import urlsplit

import aiohttp
from arq.worker import Retry
from yarl import URL

from arqlight.errors import InvalidInput, PermanentFailure
from arqlight.families.retry_after import retry_after_s
from arqlight.jobs.failure import clean

LONGEST_RETRY_AFTER_S = 3600.0
FIRST_BYTES = 500


class InvalidWebhook(PermanentFailure):
    """The delivery cannot be made from the arguments and settings."""


class DeliveryRefused(PermanentFailure):
    """The receiver does not want this delivery: a redirect, or a 4xx other than 429."""


class DeliveryFailed(Exception):
    """The receiver is in trouble (5xx, 429): try again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, first bytes, how long it took."""

    status: int
    reason: str
    text: str
    retry_after: str | None
    location: str | None
    duration_ms: int


async def post(
    session: aiohttp.ClientSession, url: str, body: str, headers: dict[str, str], timeout_s: float
) -> Answer:
    """POST a body; redirects are not followed. Raises aiohttp's ClientError, TimeoutError,
    ForbiddenAddress, InvalidWebhook."""
    try:
        return await _post(session, url, body, headers, aiohttp.ClientTimeout(total=timeout_s))
    except aiohttp.InvalidURL as error:  # odd spellings of numeric addresses among them
        raise InvalidWebhook(f"{url!r} is no address that webhooks go to: {error}") from error


async def _post(
    session: aiohttp.ClientSession, url: str, body: str, headers: dict[str, str], limit: aiohttp.ClientTimeout
) -> Answer:
    begun = perf_counter()
    # Byte for byte: to who signed the address, `%2F` and `/` are two. What is no ASCII is encoded.
    to = URL(url, encoded=url.isascii())
    async with session.post(to, data=body, headers=headers, timeout=limit, allow_redirects=False) as response:
        first = await response.content.read(FIRST_BYTES)
        return Answer(
            response.status,
            response.reason or "",
            clean(first.decode("utf-8", "replace").strip(), FIRST_BYTES),
            response.headers.get("Retry-After"),
            response.headers.get("Location"),
            round((perf_counter() - begun) * 1000),
        )


def judge(answer: Answer, url: str) -> None:
    """Return when the delivery was taken.

    Raises DeliveryRefused when the receiver will not have it, DeliveryFailed (or, when it said after what time, a Retry
    from it) when another attempt may do.
    """
    if answer.status < 300:
        return
    said = f"{answer.status} {answer.reason} from {url}: {answer.text or '(an empty answer)'}"
    if answer.status == 429 or answer.status >= 500:
        failure = DeliveryFailed(said)
        wait_s = retry_after_s(answer.retry_after)
        if wait_s is None:
            raise failure
        raise Retry(defer=min(wait_s, LONGEST_RETRY_AFTER_S)) from failure
    if answer.status < 400:
        said = f"{answer.status} to {answer.location!r}: not followed; use that URL"
    raise DeliveryRefused(said)


def parse_url(url: str) -> tuple[str, int]:
    """Host and port of a webhook's address. Raises InvalidInput."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        good = parts.scheme in ("http", "https") and bool(host) and port != 0
    except ValueError:
        good = False
    if not good or len(url) > 2000 or not url.isprintable() or " " in url or not host:
        raise InvalidInput("url", f"{url[:200]!r} is not an http(s) address; write https://example.org/hook")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("url", "it holds a name or password; deliveries are signed, they need none")
    return host, port or (443 if parts.scheme == "https" else 80)
