"""A real SMTP server that refuses whom the test says, in its own words."""

import asyncio
import socket
import ssl
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller


class MailServer(Controller):
    """Keeps what it takes in `messages`; `refused` maps an address to the reply it gets."""

    def __init__(self, port: int = 0, **options: Any) -> None:
        super().__init__(self, hostname="127.0.0.1", port=port or _free_port(), **options)
        self.refused: dict[str, str] = {}
        self.messages: list[EmailMessage] = []
        self.answers: dict[str, str] = {}  # by command: a reply of three digits, or "drop" for a closed connection
        self.pause_s = 0.0
        self.receiving = threading.Event()  # a mail has come, and its answer is still out

    def _trigger_server(self) -> None:
        """aiosmtpd's own probe at start, which trusts no private authority, without its verification."""
        with socket.create_connection((self.hostname, self.port), 5) as connection:
            if self.ssl_context:
                unverified = ssl.create_default_context()
                unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
                with unverified.wrap_socket(connection) as secured:
                    secured.recv(1024)
            else:
                connection.recv(1024)

    def _answer(self, server: Any, command: str) -> str:
        answer = self.answers.get(command, "")
        if answer == "drop":
            server.transport.abort()
        return answer

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if answer := self._answer(server, "MAIL"):
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        if answer := self._answer(server, "RCPT"):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.receiving.set()
        await asyncio.sleep(self.pause_s)
        if answer := self._answer(server, "DATA"):
            return answer
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        return "250 2.0.0 taken"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
