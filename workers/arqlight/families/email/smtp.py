"""Connections to the mail server, kept open between mails."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from email.message import EmailMessage

import aiosmtplib

from arqlight.families.email.settings import EmailSettings
from arqlight.settings import Settings

LONGEST_IDLE_S = 30.0  # Postfix lets a client wait 5 minutes, others less
MOST_MAILS = 100  # on one connection: common servers' own limit


class SmtpPool:
    """Up to ARQLIGHT_SMTP_CONNECTIONS connections; a mail waits for one to come free."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.of(EmailSettings)
        self._idle: list[tuple[aiosmtplib.SMTP, float, int]] = []
        self._room = asyncio.Semaphore(self._settings.smtp_connections)

    async def send(self, message: EmailMessage) -> str:
        """Hand one mail over; the server's reply. Raises what aiosmtplib raises."""
        async with self._room, self._connection() as server:
            _, reply = await server.send_message(message)
        return reply

    async def close(self) -> None:
        """Close each connection in order."""
        while self._idle:
            await _hang_up(self._idle.pop()[0])

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiosmtplib.SMTP]:
        server, mails = await self._reuse() or (await self._connect(), 0)
        try:
            yield server
        except aiosmtplib.SMTPResponseException:
            # The server's own answer: the connection is in order, and RSET clears the mail.
            self._put_back(server, mails + 1)
            raise
        except BaseException:
            server.close()
            raise
        self._put_back(server, mails + 1)

    async def _reuse(self) -> tuple[aiosmtplib.SMTP, int] | None:
        while self._idle:
            server, since, mails = self._idle.pop()
            if server.is_connected and asyncio.get_running_loop().time() - since < LONGEST_IDLE_S:
                with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                    await server.rset()  # tells whether it is still there, before anything of the mail is sent
                    return server, mails
            server.close()
        return None

    async def _connect(self) -> aiosmtplib.SMTP:
        settings = self._settings
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
        async with asyncio.timeout(settings.smtp_connect_timeout_s):
            await server.connect()
        return server

    def _put_back(self, server: aiosmtplib.SMTP, mails: int) -> None:
        if server.is_connected and mails < MOST_MAILS:
            self._idle.append((server, asyncio.get_running_loop().time(), mails))
        else:
            server.close()


async def _hang_up(server: aiosmtplib.SMTP) -> None:
    with contextlib.suppress(aiosmtplib.SMTPException, OSError):
        await server.quit()
    server.close()


def _tls_context(settings: EmailSettings) -> ssl.SSLContext | None:
    if settings.smtp_tls == "none":
        return None
    return ssl.create_default_context(cafile=str(settings.smtp_ca_file) if settings.smtp_ca_file else None)
