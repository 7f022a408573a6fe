"""E-mail over SMTP: 2FA codes, licence keys and alerts, each as text and HTML."""

import asyncio
import hashlib
import ssl
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, getaddresses
from pathlib import Path
from typing import Any

import aiosmtplib
from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError, select_autoescape

from workers.errors import PermanentFailure
from workers.settings import Settings
from workers.task import Backoff, task

TEMPLATES = {
    "two_factor": "{{ code }} is your sign-in code",
    "licence_key": "Your licence key for {{ product }}",
    "alert": "[{{ severity | default('warning') | upper }}] {{ title }}",
}
_FILES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "email_templates"),
    autoescape=select_autoescape(["html"], default_for_string=False),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class InvalidEmail(PermanentFailure):
    """The message cannot be made from the arguments."""


class RecipientRefused(PermanentFailure):
    """The server refused the address or the message for good (an SMTP reply of 5xx)."""


@task(queue="emails", tries=6, timeout_s=120, backoff=Backoff(first_s=5, longest_s=900))
async def send_email(ctx: dict[str, Any], to: str, template: str, **variables: Any) -> dict[str, str]:
    """Send one of `TEMPLATES` to one address; the template says which `variables` it needs.

    Returns `{"message_id", "reply"}`. A reply of 4xx, a timeout and a lost connection are tried again; 5xx is not
    (RFC 5321, 4.2.1).
    """
    settings: Settings = ctx["settings"]
    message = compose(settings.smtp_from, to, template, variables, ctx["job_id"])
    server = aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_username,
        password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
        use_tls=settings.smtp_tls == "implicit",
        start_tls=settings.smtp_tls == "starttls",
        tls_context=_tls_context(settings),
        timeout=settings.smtp_send_timeout_s,
    )
    try:
        async with asyncio.timeout(settings.smtp_connect_timeout_s):
            await server.connect()
        async with server:
            _, reply = await server.send_message(message)
    except aiosmtplib.SMTPRecipientsRefused as error:
        refused = error.recipients[0]
        raise _refusal(refused.code, f"{refused.code} {refused.message} ({refused.recipient})", error) from error
    except aiosmtplib.SMTPResponseException as error:
        raise _refusal(error.code, f"{error.code} {error.message}", error) from error
    return {"message_id": message["Message-ID"], "reply": reply}


def compose(sender: str, to: str, template: str, variables: dict[str, Any], job_id: str) -> EmailMessage:
    """The message. Its Message-ID depends on the job alone, so a second run of the job is recognised as the same mail.

    Raises InvalidEmail for an unknown template, a missing variable, an address that is none.
    """
    if template not in TEMPLATES:
        raise InvalidEmail(f"no template {template!r}; there are {', '.join(TEMPLATES)}")
    from_address, to_address = _address(sender, "From"), _address(to, "to")
    message = EmailMessage()
    message["From"] = from_address
    message["To"] = to_address
    message["Date"] = formatdate(usegmt=True)
    digest = hashlib.sha256(job_id.encode("utf-8", "replace")).hexdigest()[:32]
    message["Message-ID"] = f"<{digest}@{from_address.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    try:
        subject = _FILES.from_string(TEMPLATES[template]).render(variables)
        message["Subject"] = " ".join(subject.split())
        message.set_content(_FILES.get_template(f"{template}.txt").render(variables))
        message.add_alternative(
            _FILES.get_template(f"{template}.html").render(variables, subject=subject), subtype="html"
        )
    except UndefinedError as error:
        raise InvalidEmail(f"template {template!r}: {error.message}; give it as an argument") from error
    return message


def _address(text: str, what: str) -> Address:
    try:
        [(name, address)] = getaddresses([text])
        if any(character in text for character in "\r\n\0") or "@" not in address:
            raise ValueError("no address")
        parsed = Address(display_name=name, addr_spec=address)
        if not (parsed.username and parsed.domain):
            raise ValueError("no address")
    except (ValueError, HeaderParseError, IndexError):
        raise InvalidEmail(f"{what}={text!r} is not an e-mail address; write name@example.org") from None
    return parsed


def _refusal(code: int, said: str, error: Exception) -> Exception:
    return RecipientRefused(said) if 500 <= code < 600 else error


def _tls_context(settings: Settings) -> ssl.SSLContext | None:
    if settings.smtp_tls == "none":
        return None
    return ssl.create_default_context(cafile=str(settings.smtp_ca_file) if settings.smtp_ca_file else None)
