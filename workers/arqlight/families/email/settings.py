"""What can be set for e-mail."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from arqlight.checked_fields import Secret, option
from arqlight.families.storage import check_address
from arqlight.setting_values import check_file, check_host, check_sender
from arqlight.settings import FamilySettings


@dataclass(frozen=True)
class EmailSettings(FamilySettings):
    """The mail server."""

    smtp_host: str = option("127.0.0.1", "SMTP server.", check=check_host)
    smtp_port: int = option(25, least=1, most=65535, about="Its port.")
    smtp_tls: Literal["none", "starttls", "implicit"] = option("none", "none, starttls or implicit.")
    smtp_ca_file: Path | None = option(None, "CA certificates to trust instead of the system's.", check=check_file)
    smtp_username: str | None = option(None, "User name, where the server asks for one.")
    smtp_password: Secret | None = option(None, "Its password.")
    smtp_from: str = option("arqlight <no-reply@localhost>", "From address.", check=check_sender)
    smtp_connect_timeout_s: float = option(10, above=0, most=3600, about="Seconds to connect, TLS included.")
    smtp_send_timeout_s: float = option(30, above=0, most=3600, about="Seconds for each answer of the SMTP server.")
    smtp_connections: int = option(4, least=1, most=100, about="Connections to the mail server a worker keeps open.")
    attachments_url: str | None = option(
        None,
        "Where attachments are read from: file:///folder or s3://bucket/prefix. Without it mails have none.",
        check=check_address,
    )
    attachments_most_mb: float = option(10, above=0, most=100, about="Megabytes of a mail's attachments together.")
    smtp_per_minute: int = option(
        0, least=0, most=1_000_000, about="Mails a minute at most, over all workers; 0: no limit."
    )
