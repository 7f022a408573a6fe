"""E-mail and webhooks against real servers."""

import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from arq import Retry
from standardwebhooks.webhooks import Webhook

from arqlight.bundled import close_clients, open_clients
from arqlight.errors import NotYet
from arqlight.families.email.message import InvalidEmail
from arqlight.families.email.sending import RecipientRefused, send_email
from arqlight.families.webhooks.answers import DeliveryFailed, DeliveryRefused, InvalidWebhook
from arqlight.families.webhooks.delivery import deliver_webhook
from arqlight.settings import Settings
from tests.support.smtp import MailServer

SECRET = "whsec_" + base64.b64encode(b"a secret of the tests").decode()


def context(settings: Settings, **more: Any) -> dict[str, Any]:
    return {"settings": settings, "job_id": "job 1/ü", "job_try": 1, "enqueue_time": datetime.now(UTC), **more}


MailContext = Callable[[Settings], Awaitable[dict[str, Any]]]


@pytest.fixture
async def mail_context() -> AsyncIterator[MailContext]:
    """A job's context with what the mail tasks need, closed with the test."""
    opened: list[dict[str, Any]] = []

    async def make(settings: Settings) -> dict[str, Any]:
        ctx = context(settings)
        await open_clients(ctx)
        opened.append(ctx)
        return ctx

    yield make
    for ctx in opened:
        await close_clients(ctx)


def mail_settings(settings: Settings, server: MailServer, **more: Any) -> Settings:
    at = {"smtp_host": "127.0.0.1", "smtp_port": server.port, "smtp_from": "Shop <shop@example.com>"}
    return settings.changed(**at | more)


@pytest.mark.parametrize(
    ("template", "variables", "subject", "said"),
    [
        ("two_factor", {"code": "012345"}, "012345 is your sign-in code", "012345"),
        (
            "licence_key",
            {"product": "Quill & Co", "licence_key": "AB-<1>"},
            "Your licence key for Quill & Co",
            "AB-<1>",
        ),
        ("alert", {"title": "Disk\r\nBcc: x@y.z", "text": "full"}, "[WARNING] Disk Bcc: x@y.z", "full"),
    ],
)
async def test_a_mail_has_text_and_html_and_the_same_id_again(
    settings: Settings,
    mail_server: MailServer,
    mail_context: MailContext,
    template: str,
    variables: Any,
    subject: str,
    said: str,
) -> None:
    ctx = await mail_context(mail_settings(settings, mail_server))
    sent = [await send_email(ctx, "Ada <ada@example.org>", template, **variables) for _ in range(2)]
    first, second = mail_server.messages
    assert first["Message-ID"] == second["Message-ID"] == sent[0]["message_id"]
    assert (first["Subject"], first["To"], first["Bcc"]) == (subject, "Ada <ada@example.org>", None)
    text, html = first.get_body(("plain",)), first.get_body(("html",))
    assert isinstance(text, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert said in text.get_content()
    assert said.replace("<", "&lt;").replace(">", "&gt;") in html.get_content()


async def test_a_template_or_a_variable_that_is_missing_is_named(settings: Settings, mail_context: MailContext) -> None:
    ctx = await mail_context(settings)
    with pytest.raises(InvalidEmail, match="no template 'nope'; there are two_factor"):
        await send_email(ctx, "c@d.org", "nope")
    with pytest.raises(InvalidEmail, match="'product' is undefined"):
        await send_email(ctx, "c@d.org", "licence_key")


async def test_a_refusal_for_good_fails_at_once_and_one_for_now_is_tried_again(
    settings: Settings, mail_server: MailServer, mail_context: MailContext
) -> None:
    mail_server.refused = {"gone@x.org": "550 5.1.1 no such user", "full@x.org": "452 4.2.2 mailbox full"}
    ctx = await mail_context(mail_settings(settings, mail_server))
    with pytest.raises(RecipientRefused, match=r"550 5\.1\.1 no such user"):
        await send_email(ctx, "gone@x.org", "two_factor", code="1")
    with pytest.raises(Retry) as retry:
        await send_email(ctx, "full@x.org", "two_factor", code="1")
    assert "mailbox full" in str(retry.value.__cause__)
    closed = mail_settings(settings, mail_server, smtp_port=1)
    with pytest.raises(Retry):
        await send_email(await mail_context(closed), "a@x.org", "two_factor", code="1")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("tls")
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_mail_goes_over_tls_to_a_server_that_is_trusted_only(
    settings: Settings, certificate: tuple[Path, Path], mail_context: MailContext, tls: str
) -> None:
    tls_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls_context.load_cert_chain(*certificate)
    options: Any = (
        {"ssl_context": tls_context} if tls == "implicit" else {"tls_context": tls_context, "require_starttls": True}
    )
    server = MailServer(**options)
    server.start()
    try:
        at = mail_settings(settings, server, smtp_tls=tls, smtp_host="localhost", smtp_ca_file=certificate[0])
        await send_email(await mail_context(at), "a@x.org", "two_factor", code="1")
        assert len(server.messages) == 1
        distrustful = await mail_context(at.changed(smtp_ca_file=None))
        with pytest.raises(Retry) as retry:
            await send_email(distrustful, "a@x.org", "two_factor", code="1")
        assert "CERTIFICATE_VERIFY_FAILED" in str(retry.value.__cause__)
    finally:
        server.stop()


class Receiver:
    """A webhook address that answers as told and keeps what it got."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] = {"text": "thanks"}
        self.got: list[tuple[dict[str, str], bytes]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        return web.Response(**self.answer)


@pytest.fixture
async def receiver() -> Any:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        yield receiver, str(server.make_url("/hook")), session


async def test_a_delivery_verifies_with_the_standards_own_library(settings: Settings, receiver: Any) -> None:
    hook, url, session = receiver
    signed = settings.changed(webhook_secret=SECRET)
    answer = await deliver_webhook(context(signed, http=session), url, {"a": "ü"}, event="licence.issued")
    assert answer == {"status": 200, "answer": "thanks"}
    [(headers, body)] = hook.got
    got = Webhook(SECRET).verify(body, headers)
    assert (got["type"], got["data"]) == ("licence.issued", {"a": "ü"})
    await deliver_webhook(context(signed, http=session), url, {"a": "ü"})
    assert len({headers["webhook-id"] for headers, _ in hook.got}) == 1


@pytest.mark.parametrize(
    ("status", "headers", "delay_ms"),
    [
        (503, {}, None),
        (500, {"Retry-After": "7"}, 7000),
        (429, {"Retry-After": "1"}, 5000),
        (429, {}, None),
        (429, {"Retry-After": "9" * 400}, 86_400_000),
        (404, {}, None),
        (401, {}, None),
        (408, {}, None),
        (425, {}, None),
        (302, {"Location": "http://x/"}, None),
    ],
)
async def test_trouble_is_tried_again_after_what_the_receiver_asks(
    settings: Settings, receiver: Any, status: int, headers: dict[str, str], delay_ms: int | None
) -> None:
    hook, url, session = receiver
    hook.answer = {"status": status, "text": "busy", "headers": headers}
    with pytest.raises(Retry) as retry:
        await deliver_webhook(context(settings, http=session), url)
    assert isinstance(retry.value.__cause__, DeliveryFailed)
    assert f"{status}" in str(retry.value.__cause__)
    assert isinstance(retry.value, NotYet) == (delay_ms is not None), "a Retry-After spent a try, or none did not"
    if delay_ms is not None:
        assert retry.value.defer_score == delay_ms


async def test_gone_is_a_failure_for_good_with_status_and_first_bytes(settings: Settings, receiver: Any) -> None:
    hook, url, session = receiver
    hook.answer = {"status": 410, "body": b"no \xff<b>" + b"x" * 5000}
    with pytest.raises(DeliveryRefused) as refused:
        await deliver_webhook(context(settings, http=session), url)
    assert "410" in str(refused.value)
    assert len(str(refused.value)) < 700


@pytest.mark.parametrize("url", ["", "ftp://x/", "http://", "http://[::1", "javascript:alert(1)", "http://x:0/"])
async def test_what_is_no_web_address_is_refused_for_good(settings: Settings, receiver: Any, url: str) -> None:
    with pytest.raises(InvalidWebhook):
        await deliver_webhook(context(settings, http=receiver[2]), url)


async def test_a_network_error_is_tried_again(settings: Settings, receiver: Any) -> None:
    with pytest.raises(Retry):
        await deliver_webhook(context(settings, http=receiver[2]), "http://127.0.0.1:1/")
