"""What `arqlight doctor` looks at for e-mail."""

import aiosmtplib

from arqlight.connections.finding import Finding, trouble
from arqlight.families.email.settings import EmailSettings
from arqlight.settings import Settings


async def check_mail_server(settings: Settings) -> list[Finding]:
    """Whether the mail server answers."""
    smtp = settings.of(EmailSettings)
    server = aiosmtplib.SMTP(
        hostname=smtp.smtp_host, port=smtp.smtp_port, timeout=3, use_tls=smtp.smtp_tls == "implicit",
        start_tls=smtp.smtp_tls == "starttls",
        cert_bundle=str(smtp.smtp_ca_file) if smtp.smtp_ca_file else None,
    )  # fmt: skip
    try:
        async with server:
            return []
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        why = " ".join(str(error).split())[:150] or type(error).__name__
        where = f"{smtp.smtp_host}:{smtp.smtp_port} (ARQLIGHT_SMTP_HOST)"
        return [trouble("mail server", f"no mail can be sent by {where}: {why}")]
