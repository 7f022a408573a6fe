"""What a receiver answers, and what that means: taken, try again, or never again."""

from dataclasses import dataclass
from time import perf_counter
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from arqlight.errors import InvalidInput, PermanentFailure
from arqlight.families.retry_after import retry_after_s
from arqlight.jobs.failure import clean

FIRST_BYTES = 500


class InvalidWebhook(PermanentFailure):
    """The delivery cannot be made from the arguments and settings."""


class DeliveryRefused(PermanentFailure):
    """The receiver wants no delivery any more: 410."""


class DeliveryFailed(Exception):
    """The receiver did not take it: try again. Of all but 2xx and 410, as Standard Webhooks says."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, first bytes, how long it took."""

    status: int
    reason: str
    text: str
    retry_after_s: float | None
    location: str | None
    duration_ms: int


async def post(
    session: aiohttp.ClientSession, url: str, body: str, headers: dict[str, str], timeout_s: float
) -> Answer:
    """POST a body of JSON; redirects are not followed. Raises aiohttp's ClientError, TimeoutError,
    ForbiddenAddress, InvalidWebhook."""
    try:
        told = {"Content-Type": "application/json", **headers}
        return await _post(session, url, body, told, aiohttp.ClientTimeout(total=timeout_s))
    except aiohttp.InvalidURL as error:  # odd spellings of numeric addresses among them
        raise InvalidWebhook(f"no webhook can go to the host {error}") from error


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
            retry_after_s(response.headers.get("Retry-After"), response.headers.get("Date")),
            response.headers.get("Location"),
            round((perf_counter() - begun) * 1000),
        )


def judge(answer: Answer, url: str) -> None:
    """Return when the delivery was taken. Raises DeliveryFailed, DeliveryRefused; neither names more than the host."""
    if 200 <= answer.status < 300:
        return
    said = f"{answer.status} {answer.reason} from {host_of(url)}: {answer.text or '(an empty answer)'}"
    if answer.status == 410:
        raise DeliveryRefused(said)
    if 300 <= answer.status < 400:
        said = f"{answer.status} to {answer.location!r}: not followed; use that URL"
    raise DeliveryFailed(said)


def host_of(url: str) -> str:
    """What of an address may be told to others than its owner: a path often holds a token."""
    return urlsplit(url).hostname or "(no host)"


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
