"""The tasks that send: any template, and 2FA codes, which are worth nothing when they come late."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import aiosmtplib
from sqlalchemy.exc import SQLAlchemyError

from arqlight.errors import ArqlightError, InvalidInput, NotFound, PermanentFailure
from arqlight.families.email import suppressions
from arqlight.families.email.attachments import check_names, read_attachments
from arqlight.families.email.languages import language_of, language_tag
from arqlight.families.email.message import InvalidEmail, compose, parse_address
from arqlight.families.email.rendering import Renderer
from arqlight.families.email.sends import mark_sent, release, reserve
from arqlight.families.email.settings import EmailSettings
from arqlight.families.email.suppressions import BY_CHOICE, Suppression, is_about_address, listed_as
from arqlight.families.email.templates import BUILT_IN, EmailTemplate, check_optional_address, find_localised
from arqlight.families.email.unsubscribing import unsubscribe_url
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


class RecipientSuppressed(PermanentFailure):
    """The address is on the suppression list: it takes no mail, or somebody put it there."""


@dataclass(frozen=True, slots=True)
class Mail:
    """What is asked for.

    :param variables: for the template, which uses each of them.
    :param offered: for the template to use or not.
    :param urgent: whether it goes before mails that are not.
    """

    to: str
    template: str
    variables: Mapping[str, Any]
    offered: Mapping[str, Any] = field(default_factory=dict)
    language: str | None = None
    reply_to: str | None = None
    attachments: Sequence[str] = ()
    urgent: bool = False


class CodeExpired(PermanentFailure):
    """A code that waited longer than its life."""


@task(queue="emails", tries=6, timeout_s=120, backoff=Backoff(first_s=5, longest_s=900))
async def send_email(
    ctx: dict[str, Any],
    to: str,
    template: str,
    *,
    idempotency_key: str | None = None,
    language: str | None = None,
    reply_to: str | None = None,
    attachments: Sequence[str] = (),
    **variables: Any,
) -> dict[str, Any]:
    """Send a template to one address; the template says which `variables` it needs, and takes no others.

    :param language: the language of the template (BCP 47); without one in it, the nearest there is.
    :param reply_to: where answers go, instead of where the template says.
    :param attachments: names of files in the store of ARQLIGHT_ATTACHMENTS_URL.

    Returns `{"message_id", "reply", "version", "language"}`, with `fallback`, a sentence, where the template is not in
    the `language` asked for; `{"message_id", "suppressed": True}` when a mail went out under `idempotency_key` before,
    with `reason` and without an id when the reader wants no such mail. Raises RecipientSuppressed for an address that
    takes no mail. A reply of 4xx, a timeout and a lost connection are tried again; 5xx is not (RFC 5321,
    4.2.1).
    """
    parse_address(to, "to")
    mail = Mail(to, template, variables, language=language, reply_to=reply_to, attachments=attachments)
    if idempotency_key is None:
        return await _send(ctx, mail, ctx["job_id"])
    try:
        check_text("idempotency_key", idempotency_key, LONGEST_KEY, shortest=1)
    except InvalidInput as error:
        raise InvalidEmail(str(error)) from error
    sent = await reserve(ctx["database"], idempotency_key, ctx["job_id"])
    if sent is not None:
        return {"message_id": sent, "suppressed": True}
    try:
        answer = await _send(ctx, mail, f"key {idempotency_key}")
    except BaseException:  # a timeout and a cancellation too: the key is held by an attempt, not by what waits for one
        await asyncio.shield(_release(ctx, idempotency_key))
        raise
    if answer["message_id"] is None:
        await _release(ctx, idempotency_key)
        return answer
    await mark_sent(ctx["database"], idempotency_key, answer["message_id"])
    return answer


@task(queue="high", tries=6, timeout_s=60, backoff=Backoff(first_s=1, longest_s=30))
async def send_two_factor_code(
    ctx: dict[str, Any],
    to: str,
    *,
    code: str,
    life_s: float = 300,
    template: str = "two_factor",
    language: str | None = None,
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
        ctx, Mail(to, template, {"code": text}, {"minutes": minutes}, language, urgent=True), ctx["job_id"]
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


async def _send(ctx: dict[str, Any], mail: Mail, mail_key: str) -> dict[str, Any]:
    settings: Settings = ctx["settings"]
    smtp = settings.of(EmailSettings)
    address = listed_as(parse_address(mail.to, "to"))
    try:
        template = await find_localised(ctx["database"], mail.template, mail.language)
        refusal = await suppressions.find(ctx["database"], address)
        if refusal is not None and not (template.transactional and refusal.reason in BY_CHOICE):
            return _suppressed(refusal)
        message = await _compose(ctx, smtp, template, mail, address, mail_key)
    except NotFound as error:
        raise InvalidEmail(str(error)) from error
    except InvalidInput as error:
        raise InvalidEmail(f"template {mail.template!r}: {error}") from error
    if smtp.smtp_per_minute:  # last, so that a mail that cannot go takes no turn
        burst = bursts(smtp.smtp_per_minute)[mail.urgent]
        await take_turn(ctx["redis"], settings, "smtp", smtp.smtp_per_minute, burst=burst)
    reply = await _hand_over(ctx, smtp, message, address)
    found = language_of(template.name)
    told = {"message_id": str(message["Message-ID"]), "reply": reply, "version": template.version, "language": found}
    if mail.language is not None and found != language_tag(mail.language):
        where = f"in {found}" if found else "in its default language"
        told["fallback"] = f"template {mail.template!r} is not there in {mail.language}; it was sent {where}"
        ctx["log"](told["fallback"])
    return told


async def _compose(
    ctx: dict[str, Any], smtp: EmailSettings, template: EmailTemplate, mail: Mail, address: str, mail_key: str
) -> EmailMessage:
    """The message. Raises InvalidInput, InvalidEmail."""
    check_known(await taken_by(ctx["renderer"], template), mail.variables)
    leave = "" if template.transactional else unsubscribe_url(ctx["settings"], ctx["keys"], address)
    reply_to = template.reply_to if mail.reply_to is None else mail.reply_to
    check_optional_address("reply_to", reply_to)
    files = await read_attachments(smtp, check_names(mail.attachments))
    given = {**mail.variables, **mail.offered, "unsubscribe_url": leave}
    layout = {"language": language_of(template.name) or "en", "reply_to": reply_to, "unsubscribe_url": leave}
    rendered = await ctx["renderer"].render(template.parts, given, layout)
    return compose(
        template.sender or smtp.smtp_from, mail.to, rendered, mail_key,
        reply_to=reply_to, attachments=files, unsubscribe_url=leave,
    )  # fmt: skip


def _suppressed(refusal: Suppression) -> dict[str, Any]:
    """What becomes of a mail to an address on the list. Raises RecipientSuppressed."""
    why = f"{refusal.address} is on the suppression list since {refusal.at:%Y-%m-%d} ({refusal.reason})"
    if refusal.reason in BY_CHOICE:
        return {"message_id": None, "suppressed": True, "reason": why}
    raise RecipientSuppressed(
        f"{why}: {refusal.detail or 'no detail'}; take it off at /suppressions if mail reaches it"
    )


async def _hand_over(ctx: dict[str, Any], smtp: EmailSettings, message: EmailMessage, address: str) -> str:
    """Send it; the server's reply. An address that the server refuses permanently is put on the suppression list."""
    try:
        reply: str = await ctx["smtp"].send(message)
        return reply
    except aiosmtplib.SMTPAuthenticationError as error:
        raise SignInRefused(
            f"the mail server refuses the sign-in as {smtp.smtp_username!r}: {error.code} {error.message}; see "
            "ARQLIGHT_SMTP_USERNAME and ARQLIGHT_SMTP_PASSWORD"
        ) from error
    except aiosmtplib.SMTPRecipientsRefused as error:
        refused = error.recipients[0]
        said = f"{refused.code} {refused.message} ({refused.recipient})"
        if 500 <= refused.code < 600 and is_about_address(refused.code, refused.message):
            await _suppress(ctx, address, said)
        raise _refusal(refused.code, said, error) from error
    except aiosmtplib.SMTPResponseException as error:
        said = f"{error.code} {error.message}"
        # Some say it behind the mail. What is said of MAIL is about the sender.
        is_data = isinstance(error, aiosmtplib.SMTPDataError) and 500 <= error.code < 600
        if is_data and is_about_address(0, error.message):
            await _suppress(ctx, address, said)
        raise _refusal(error.code, said, error) from error
    except aiosmtplib.SMTPNotSupported as error:
        raise InvalidEmail(
            f"{message['From'].addresses[0].addr_spec!r} or {address!r} needs a mail server with SMTPUTF8 (RFC 6531), "
            f"which {smtp.smtp_host} has not: {error}"
        ) from error


async def _suppress(ctx: dict[str, Any], address: str, said: str) -> None:
    if not ctx["database"].is_set:
        return
    try:
        await suppressions.add(ctx["database"], [address], "refused", detail=said, who=f"job {ctx['job_id']}")
    except (SQLAlchemyError, ArqlightError, OSError) as error:  # the refusal counts, and is raised
        ctx["log"]("%s could not be put on the suppression list: %s", address, error)


async def taken_by(renderer: Renderer, template: EmailTemplate) -> list[str]:
    """The variables that may be given for a template: those it uses, and those that the one it replaces came with."""
    names = set(template.variables or await renderer.variables_of(template.parts))
    base = template.name.partition(".")[0]  # without a language
    if template.version and base in BUILT_IN:
        names |= set(await renderer.variables_of(BUILT_IN[base].parts))
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
