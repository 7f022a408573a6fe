"""The tasks that send: any template, and 2FA codes, which are worth nothing when they come late."""

from datetime import UTC, datetime
from typing import Any

import aiosmtplib

from arqlight.errors import InvalidInput, NotFound, PermanentFailure
from arqlight.families.email.message import InvalidEmail, compose, parse_address
from arqlight.families.email.sends import mark_sent, release, reserve
from arqlight.families.email.settings import EmailSettings
from arqlight.families.email.templates import find_template
from arqlight.jobs.storable_text import check_text
from arqlight.runtime.rate_limits import take_turn
from arqlight.settings import Settings
from arqlight.tasks import Backoff, task

LONGEST_KEY = 200


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
    """Send a template to one address; the template says which `variables` it needs.

    Returns `{"message_id", "reply", "version"}`, or `{"message_id", "suppressed": True}` when a mail went out under
    `idempotency_key` before. A reply of 4xx, a timeout and a lost connection are tried again; 5xx is not (RFC 5321,
    4.2.1).
    """
    settings: Settings = ctx["settings"]
    parse_address(to, "to")
    if idempotency_key is not None:
        try:
            check_text("idempotency_key", idempotency_key, LONGEST_KEY, shortest=1)
        except InvalidInput as error:
            raise InvalidEmail(str(error)) from error
        sent = await reserve(ctx["database"], idempotency_key, ctx["job_id"])
        if sent is not None:
            return {"message_id": sent, "suppressed": True}
    try:
        if per_minute := settings.of(EmailSettings).smtp_per_minute:
            await take_turn(ctx["redis"], settings, "smtp", per_minute)
        answer = await _send(ctx, settings, to, template, variables)
    except PermanentFailure:
        if idempotency_key is not None:
            await release(ctx["database"], idempotency_key)
        raise
    if idempotency_key is not None:
        await mark_sent(ctx["database"], idempotency_key, answer["message_id"])
    return answer


@task(queue="high", tries=6, timeout_s=60, backoff=Backoff(first_s=1, longest_s=30))
async def send_two_factor_code(
    ctx: dict[str, Any], to: str, *, code: str, life_s: float = 300, template: str = "two_factor"
) -> dict[str, Any]:
    """Send a sign-in code that is valid for `life_s` seconds from when it was enqueued.

    Raises CodeExpired when it waited longer: it is not sent then. Otherwise as `send_email`.
    """
    waited_s = (datetime.now(UTC) - ctx["enqueue_time"].astimezone(UTC)).total_seconds()
    if waited_s >= life_s:
        raise CodeExpired(f"the code waited {waited_s:.0f} s, longer than its life of {life_s:g} s: it was not sent")
    minutes = max(1, int((life_s - waited_s) // 60))
    return await _send(ctx, ctx["settings"], to, template, {"code": code, "minutes": minutes})


async def _send(
    ctx: dict[str, Any], settings: Settings, to: str, name: str, variables: dict[str, Any]
) -> dict[str, Any]:
    try:
        template = await find_template(ctx["database"], name)
        rendered = await ctx["renderer"].render(template.parts, variables)
    except NotFound as error:
        raise InvalidEmail(str(error)) from error
    except InvalidInput as error:
        raise InvalidEmail(f"template {name!r}: {error}") from error
    smtp = settings.of(EmailSettings)
    message = compose(smtp.smtp_from, to, rendered, ctx["job_id"])
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
    return {"message_id": message["Message-ID"], "reply": reply, "version": template.version}


def _refusal(code: int, said: str, error: Exception) -> Exception:
    return RecipientRefused(said) if 500 <= code < 600 else error
