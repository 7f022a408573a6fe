"""The tasks that send: any template, and 2FA codes, which are worth nothing when they come late."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import aiosmtplib
from sqlalchemy.exc import SQLAlchemyError

from arqlight.errors import ArqlightError, InvalidInput, NotFound, PermanentFailure
from arqlight.families.email.message import InvalidEmail, compose, parse_address
from arqlight.families.email.rendering import Renderer
from arqlight.families.email.sends import mark_sent, release, reserve
from arqlight.families.email.settings import EmailSettings
from arqlight.families.email.templates import BUILT_IN, EmailTemplate, find_template
from arqlight.jobs.storable_text import check_text
from arqlight.runtime.rate_limits import take_turn
from arqlight.settings import Settings
from arqlight.tasks import Backoff, task

LONGEST_KEY = 200
LONGEST_CODE = 100


class RecipientRefused(PermanentFailure):
    """The server refused the address or the message permanently (an SMTP reply of 5xx)."""


class SignInRefused(Exception):
    """The server does not take name or password: somebody has to fix that, and the mail is tried again meanwhile."""


class CodeExpired(PermanentFailure):
    """A code that waited longer than its life."""


@task(queue="emails", tries=6, timeout_s=120, backoff=Backoff(first_s=5, longest_s=900))
async def send_email(
    ctx: dict[str, Any], to: str, template: str, *, idempotency_key: str | None = None, **variables: Any
) -> dict[str, Any]:
    """Send a template to one address; the template says which `variables` it needs, and takes no others.

    Returns `{"message_id", "reply", "version"}`, or `{"message_id", "suppressed": True}` when a mail went out under
    `idempotency_key` before. A reply of 4xx, a timeout and a lost connection are tried again; 5xx is not (RFC 5321,
    4.2.1).
    """
    parse_address(to, "to")
    if idempotency_key is None:
        return await _send(ctx, to, template, variables, mail_key=ctx["job_id"])
    try:
        check_text("idempotency_key", idempotency_key, LONGEST_KEY, shortest=1)
    except InvalidInput as error:
        raise InvalidEmail(str(error)) from error
    sent = await reserve(ctx["database"], idempotency_key, ctx["job_id"])
    if sent is not None:
        return {"message_id": sent, "suppressed": True}
    try:
        answer = await _send(ctx, to, template, variables, mail_key=f"key {idempotency_key}")
    except BaseException:  # a timeout and a cancellation too: the key is held by an attempt, not by what waits for one
        await asyncio.shield(_release(ctx, idempotency_key))
        raise
    await mark_sent(ctx["database"], idempotency_key, answer["message_id"])
    return answer


@task(queue="high", tries=6, timeout_s=60, backoff=Backoff(first_s=1, longest_s=30))
async def send_two_factor_code(
    ctx: dict[str, Any], to: str, *, code: str, life_s: float = 300, template: str = "two_factor"
) -> dict[str, Any]:
    """Send a sign-in code that is valid for `life_s` seconds from when it was enqueued.

    Raises CodeExpired when it waited longer: it is not sent then. Otherwise as `send_email`, before whose mails it goes
    within one rate.
    """
    parse_address(to, "to")
    text, life_s = check_code(code), check_life(life_s)
    waited_s = (datetime.now(UTC) - ctx["enqueue_time"].astimezone(UTC)).total_seconds()
    if waited_s >= life_s:
        raise CodeExpired(f"the code waited {waited_s:.0f} s, longer than its life of {life_s:g} s: it was not sent")
    minutes = max(1, int((life_s - waited_s) // 60))
    return await _send(
        ctx, to, template, {"code": text, "minutes": minutes}, mail_key=ctx["job_id"], offered={"minutes"}, urgent=True
    )


def check_code(code: object) -> str:
    """A code as text. Raises InvalidEmail for a number with a point or exponent: what was typed cannot be known."""
    text = str(code) if isinstance(code, int) and not isinstance(code, bool) and code.bit_length() < 64 else code
    if not isinstance(text, str):
        kind = type(code).__name__
        raise InvalidEmail(f'code is of type {kind}, and its digits may be others than meant; give a text: "123E45"')
    try:
        return check_text("code", text, LONGEST_CODE, shortest=1)
    except InvalidInput as error:
        raise InvalidEmail(str(error)) from error


def check_life(life_s: object) -> float:
    """A code's life in seconds. Raises InvalidEmail."""
    is_number = isinstance(life_s, int | float) and not isinstance(life_s, bool)
    if not (is_number and 0 < life_s <= 7 * 86_400):  # type: ignore[operator]  # NaN is not between them
        raise InvalidEmail(f"life_s={str(life_s)[:50]!r} is not between 0 and {7 * 86_400} s")
    return float(life_s)  # type: ignore[arg-type]


def bursts(per_minute: int) -> tuple[int, int]:
    """How many mails, and how many codes, may go at once under a rate: a part of it is left to codes."""
    urgent = max(2, per_minute // 10)
    return urgent // 2, urgent


async def _send(
    ctx: dict[str, Any],
    to: str,
    name: str,
    variables: dict[str, Any],
    *,
    mail_key: str,
    offered: Collection[str] = (),
    urgent: bool = False,
) -> dict[str, Any]:
    """Render and send when it is this mail's turn. Of the `offered` variables the template uses those that it needs."""
    settings: Settings = ctx["settings"]
    smtp = settings.of(EmailSettings)
    try:
        template = await find_template(ctx["database"], name)
        names = await taken_by(ctx["renderer"], template)
        check_known(names, set(variables) - set(offered))
        rendered = await ctx["renderer"].render(template.parts, variables)
        message = compose(smtp.smtp_from, to, rendered, mail_key)
    except NotFound as error:
        raise InvalidEmail(str(error)) from error
    except InvalidInput as error:
        raise InvalidEmail(f"template {name!r}: {error}") from error
    if smtp.smtp_per_minute:  # last, so that a mail that cannot go takes no turn
        burst = bursts(smtp.smtp_per_minute)[urgent]
        await take_turn(ctx["redis"], settings, "smtp", smtp.smtp_per_minute, burst=burst)
    try:
        reply = await ctx["smtp"].send(message)
    except aiosmtplib.SMTPAuthenticationError as error:
        raise SignInRefused(
            f"the mail server refuses the sign-in as {smtp.smtp_username!r}: {error.code} {error.message}; see "
            "ARQLIGHT_SMTP_USERNAME and ARQLIGHT_SMTP_PASSWORD"
        ) from error
    except aiosmtplib.SMTPRecipientsRefused as error:
        refused = error.recipients[0]
        raise _refusal(refused.code, f"{refused.code} {refused.message} ({refused.recipient})", error) from error
    except aiosmtplib.SMTPResponseException as error:
        raise _refusal(error.code, f"{error.code} {error.message}", error) from error
    except aiosmtplib.SMTPNotSupported as error:
        raise InvalidEmail(
            f"{message['From'].addresses[0].addr_spec!r} or {to!r} needs a mail server with SMTPUTF8 (RFC 6531), which "
            f"{smtp.smtp_host} has not: {error}"
        ) from error
    return {"message_id": str(message["Message-ID"]), "reply": reply, "version": template.version}


async def taken_by(renderer: Renderer, template: EmailTemplate) -> list[str]:
    """The variables that may be given for a template: those it uses, and those that the one it replaces came with."""
    names = set(template.variables or await renderer.variables_of(template.parts))
    if template.version and template.name in BUILT_IN:
        names |= set(await renderer.variables_of(BUILT_IN[template.name].parts))
    return sorted(names)


def check_known(names: Collection[str], given: Collection[str]) -> None:
    """Raises InvalidInput for a variable that no part of a template uses: it would be lost without a word."""
    if unknown := sorted(set(given) - set(names)):
        raise InvalidInput(unknown[0], f"the template does not use it; it uses {', '.join(names) or 'none'}")


async def _release(ctx: dict[str, Any], key: str) -> None:
    try:
        await release(ctx["database"], key, ctx["job_id"])
    except (SQLAlchemyError, ArqlightError, OSError) as error:  # what came before counts, and is raised
        ctx["log"]("the idempotency key could not be released; it is free in a quarter of an hour: %s", error)


def _refusal(code: int, said: str, error: Exception) -> Exception:
    return RecipientRefused(said) if 500 <= code < 600 else error
