"""What can be set for e-mail."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from arqlight.settings import FamilySettings


class EmailSettings(FamilySettings):
    """The mail server."""

    smtp_host: str = Field("127.0.0.1", description="SMTP server.")
    smtp_port: int = Field(25, ge=1, le=65535, description="Its port.")
    smtp_tls: Literal["none", "starttls", "implicit"] = Field("none", description="none, starttls or implicit.")
    smtp_ca_file: Path | None = Field(None, description="CA certificates to trust instead of the system's.")
    smtp_username: str | None = Field(None, description="Sign-in name, when the server asks for one.")
    smtp_password: SecretStr | None = Field(None, description="Its password.")
    smtp_from: str = Field("arqlight <no-reply@localhost>", description="From address.")
    smtp_connect_timeout_s: float = Field(10, gt=0, description="Seconds to connect, TLS included.")
    smtp_send_timeout_s: float = Field(30, gt=0, description="Seconds for each answer of the SMTP server.")
    smtp_connections: int = Field(4, ge=1, le=100, description="Connections to the mail server a worker keeps open.")
    smtp_per_minute: int = Field(0, ge=0, description="Mails a minute at most, over all workers; 0: no limit.")
