"""What becomes of a mail: each behaviour of a server, the suppression list, leaving with one click, attachments."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiosmtplib
import pytest
from aiohttp.test_utils import TestClient, TestServer
from arq import Retry
from arq.connections import ArqRedis

from arqlight.errors import PermanentFailure
from arqlight.families.database import Database
from arqlight.families.email import suppressions, templates
from arqlight.families.email.message import InvalidEmail
from arqlight.families.email.sending import (
    RecipientRefused,
    RecipientSuppressed,
    send_email,
    send_two_factor_code,
)
from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.conftest import Client
from tests.support.smtp import MailServer

Family = Callable[..., Awaitable[dict[str, Any]]]
PARTS = {"subject": "Hello {{ name }}", "text": "Dear {{ name }}", "html": "<p>Dear {{ name }}</p>"}
ALERT = {"title": "a", "text": "b"}
PUBLIC = "https://jobs.example.org"


@pytest.fixture
async def mailing(family: Family, mail_server: MailServer) -> Family:
    async def make(**changes: Any) -> dict[str, Any]:
        return await family(smtp_host="127.0.0.1", smtp_port=mail_server.port, smtp_from="a@example.com", **changes)

    return make


@pytest.fixture
async def site(family_settings: Settings, pool: ArqRedis, database: Database) -> AsyncIterator[Client]:
    async with TestClient(TestServer(create_app(family_settings))) as client:
        yield client


async def save(ctx: dict[str, Any], name: str, parts: dict[str, str] = PARTS, /, **options: Any) -> None:
    await templates.save_template(ctx["database"], ctx["renderer"], name, parts, who="ada", **options)


async def listed(database: Database) -> dict[str, str]:
    return {each.address: each.reason for each in (await suppressions.page(database, 500))[0]}


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("answer", "outcome", "suppressed"),
    [
        ("451 4.3.0 try later", "again", False),
        ("421 4.3.2 going down", "again", False),
        ("drop", "again", False),
        ("550 5.7.1 blocked", "fails", False),
        ("552 5.2.2 mailbox full", "fails", False),
        ("550 5.1.1 no such user", "fails", True),
    ],
    ids=["defer", "close", "drop", "refuse", "full", "unknown"],
)
async def test_a_mail_is_tried_again_or_not_as_the_server_says(
    mailing: Family, mail_server: MailServer, database: Database,
    command: str, answer: str, outcome: str, suppressed: bool,
) -> None:  # fmt: skip
    ctx = await mailing()
    mail_server.answers = {command: answer}
    with pytest.raises(Retry if outcome == "again" else RecipientRefused):
        await send_email(ctx, "x@example.org", "alert", **ALERT)
    assert not mail_server.messages
    assert ("x@example.org" in await listed(database)) is (suppressed and command != "MAIL")
    mail_server.answers = {}
    await send_email(ctx, "other@example.org", "alert", **ALERT)
    assert len(mail_server.messages) == 1, "what the server did to one mail does not hold back the next"


async def test_an_address_that_was_refused_for_good_is_not_asked_for_again(
    mailing: Family, mail_server: MailServer, database: Database
) -> None:
    ctx = await mailing()
    mail_server.refused = {"Gone@example.org": "550 5.1.1 no such user"}
    with pytest.raises(RecipientRefused):
        await send_email(ctx, "Gone@example.org", "alert", **ALERT)
    mail_server.refused = {}
    for send in (
        send_email(ctx, "gone@EXAMPLE.org", "alert", **ALERT),
        send_two_factor_code(ctx, "gone@example.org", code="1"),
    ):
        with pytest.raises(RecipientSuppressed, match=r"gone@example.org is on the suppression list .*no such user"):
            await send
    assert not mail_server.messages
    await suppressions.remove(database, "gone@example.org")
    await send_email(ctx, "gone@example.org", "alert", **ALERT)
    assert len(mail_server.messages) == 1


async def test_a_reader_leaves_with_one_click_and_still_gets_what_is_transactional(
    mailing: Family, mail_server: MailServer, site: Client, database: Database
) -> None:
    ctx = await mailing(public_url=PUBLIC)
    parts = {**PARTS, "text": "Dear {{ name }}\n{{ unsubscribe_url }}",
             "html": '{% extends "layout.html" %}{% block content %}Hi{% endblock %}'}  # fmt: skip
    await save(ctx, "news", parts, transactional=False)
    await send_email(ctx, "Ada <Ada@example.org>", "news", name="Ada")
    await send_email(ctx, "ada@example.org", "alert", **ALERT)
    mail, alert = mail_server.messages
    link = str(mail["List-Unsubscribe"]).replace("\n", "").replace(" ", "").strip("<>")
    assert link.startswith(f"{PUBLIC}/unsubscribe?address=ada%40example.org&signature=")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert alert["List-Unsubscribe"] is None
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert (">Unsubscribe</a>" in html, link in mail.get_body(("plain",)).get_content()) == (True, True)  # type: ignore[union-attr]

    path = f"{urlsplit(link).path}?{urlsplit(link).query}"
    looked = await site.get(path)
    assert (looked.status, "Send no more" in await looked.text(), await listed(database)) == (200, True, {})
    for wrong in (path[:-1], path.replace("ada", "grace"), "/unsubscribe"):
        assert (await site.post(wrong, data={"List-Unsubscribe": "One-Click"})).status == 403, wrong
    clicked = await site.post(path, data={"List-Unsubscribe": "One-Click"}, allow_redirects=False)
    assert (clicked.status, await listed(database)) == (200, {"ada@example.org": "unsubscribed"})

    kept = await send_email(ctx, "ada@example.org", "news", name="Ada", idempotency_key="news 7")
    assert (kept["message_id"], kept["suppressed"], "unsubscribed" in kept["reason"]) == (None, True, True)
    await send_email(ctx, "ada@example.org", "alert", **ALERT)
    assert len(mail_server.messages) == 3
    # What keeps every mail back is stronger than a choice, which in turn does not free the address.
    await suppressions.add(database, ["ada@example.org"], "bounced", who="test")
    await suppressions.add(database, ["ada@example.org"], "unsubscribed", who="test")
    assert await listed(database) == {"ada@example.org": "bounced"}
    await suppressions.remove(database, "ada@example.org")
    again = await send_email(ctx, "ada@example.org", "news", name="Ada", idempotency_key="news 7")
    assert again["message_id"], "a key under which nothing went out is free"


@pytest.mark.parametrize("public_url", [None, "http://jobs.example.org"])
async def test_a_subscription_without_a_link_to_leave_it_is_not_sent(
    mailing: Family, mail_server: MailServer, public_url: str | None
) -> None:
    ctx = await mailing(public_url=public_url)
    await save(ctx, "news", transactional=False)
    with pytest.raises(InvalidEmail, match="set ARQLIGHT_PUBLIC_URL to https"):
        await send_email(ctx, "ada@example.org", "news", name="Ada")
    assert not mail_server.messages


async def test_a_template_has_its_own_sender_and_reply_to_and_an_argument_comes_first(
    mailing: Family, mail_server: MailServer
) -> None:
    ctx = await mailing()
    await save(ctx, "order", sender="Shop <shop@example.com>", reply_to="help@example.com")
    await templates.roll_back(ctx["database"], ctx["renderer"], "order", 1, who="ada")
    await send_email(ctx, "x@example.org", "order", name="Ada")
    await send_email(ctx, "x@example.org", "order", name="Ada", reply_to="Bob <bob@example.com>")
    await send_email(ctx, "x@example.org", "alert", **ALERT)
    seen = [(str(mail["From"]), mail["Reply-To"] and str(mail["Reply-To"])) for mail in mail_server.messages]
    assert seen == [
        ("Shop <shop@example.com>", "help@example.com"),
        ("Shop <shop@example.com>", "Bob <bob@example.com>"),
        ("a@example.com", None),
    ]
    assert "Replies are not read" in mail_server.messages[2].get_body(("html",)).get_content()  # type: ignore[union-attr]
    for wrong in ("nobody", "a@b\r\nBcc: c@d", ["a@example.org"]):
        with pytest.raises(PermanentFailure, match="reply_to"):
            await send_email(ctx, "x@example.org", "order", name="Ada", reply_to=wrong)


async def test_a_mail_is_in_the_language_asked_for_or_says_that_it_is_not(
    mailing: Family, mail_server: MailServer
) -> None:
    ctx = await mailing()
    await save(ctx, "alert.de", {**PARTS, "subject": "Achtung", "text": "{{ text }}", "html": ""})
    german = await send_email(ctx, "x@example.org", "alert", language="de", **ALERT)
    assert (german["language"], "fallback" in german) == ("de", False)
    austrian = await send_email(ctx, "x@example.org", "alert", language="de-at", **ALERT)
    assert austrian["fallback"] == "template 'alert' is not there in de-at; it was sent in de"
    french = await send_email(ctx, "x@example.org", "alert", language="fr", **ALERT)
    assert french["fallback"] == "template 'alert' is not there in fr; it was sent in its default language"
    assert [str(mail["Subject"]) for mail in mail_server.messages] == ["Achtung", "Achtung", "[WARNING] a"]
    for wrong in ("klingon", "../de", 7):
        with pytest.raises(InvalidEmail, match="is no language"):
            await send_email(ctx, "x@example.org", "alert", language=wrong, **ALERT)
    with pytest.raises(InvalidEmail, match="no template 'none'"):
        await send_email(ctx, "x@example.org", "none", language="de", **ALERT)
    code = await send_two_factor_code(ctx, "x@example.org", code="123456", language="fr")
    assert "fallback" in code


async def test_attachments_come_from_their_store_and_are_bounded(
    mailing: Family, mail_server: MailServer, tmp_path: Path
) -> None:
    store = tmp_path / "attachments"
    (store / "invoices").mkdir(parents=True)
    (store / "invoices" / "7.pdf").write_bytes(b"%PDF-1.7 seven")
    (store / "mail.eml").write_bytes(b"Subject: x\r\n\r\ny")
    (store / "large.bin").write_bytes(b"x" * 20_001)
    (tmp_path / "secret.txt").write_text("hunter2")
    (store / "link.txt").symlink_to(tmp_path / "secret.txt")
    ctx = await mailing(attachments_url=store.as_uri(), attachments_most_mb=0.02)
    await send_email(ctx, "x@example.org", "alert", attachments=["invoices/7.pdf", "mail.eml"], **ALERT)
    found = {each.get_filename(): each for each in mail_server.messages[0].iter_attachments()}
    assert found["7.pdf"].get_content() == b"%PDF-1.7 seven"
    assert {name: each.get_content_type() for name, each in found.items()} == {
        "7.pdf": "application/pdf", "mail.eml": "application/octet-stream"
    }  # fmt: skip
    for names, why in (
        (["large.bin"], "larger than 0.02 MB"), (["none.pdf"], "has no file 'none.pdf'"), (["invoices"], "has no file"),
        (["link.txt"], "has no file"), (["../secret.txt"], "no name of a file"), ("mail.eml", "no list of names"),
    ):  # fmt: skip
        with pytest.raises(InvalidEmail, match=f"attachments: .*{why}"):
            await send_email(ctx, "x@example.org", "alert", attachments=names, **ALERT)
    with pytest.raises(InvalidEmail, match="set ARQLIGHT_ATTACHMENTS_URL"):
        await send_email(await mailing(), "x@example.org", "alert", attachments=["mail.eml"], **ALERT)
    assert len(mail_server.messages) == 1


@pytest.mark.parametrize("name", sorted(templates.RESERVED))
async def test_a_variable_named_like_an_argument_is_refused_as_it_is_saved(mailing: Family, name: str) -> None:
    ctx = await mailing()
    with pytest.raises(Exception, match="say how a mail is sent"):
        await save(ctx, "greeting", {**PARTS, "text": f"{{{{ {name} }}}}"})
    for field in ("sender", "reply_to"):
        with pytest.raises(Exception, match=f"{field}: .*not an e-mail address"):
            await save(ctx, "greeting", PARTS, **{field: "nobody"})


async def test_the_suppression_list_is_kept_by_the_api(site: Client, database: Database) -> None:
    async def post(path: str, status: int, **body: Any) -> Any:
        answer = await site.post(f"/api/v1/suppressions{path}", json=body)
        assert answer.status == status, await answer.text()
        return await answer.json()

    await post("", 201, address="Ada@Example.org", detail="asked by phone")
    assert (await post("", 201, address="ada@example.org"))["added"] == 0
    assert (await post("", 422, address="nobody"))["field"] == "address"
    ends = ("\n", "\r\n", "\r")
    file = "\ufeffemail\r\n" + "".join(f"p{n:03}@example.org" + ends[n % 3] for n in range(120)) + "=1+1\r"
    told = await post("/import", 201, csv=file, reason="bounced")
    assert (told["added"], told["refused_count"], told["refused"][0]["line"]) == (120, 1, 122)
    assert (await post("/bounces", 422, message="hello"))["field"] == "message"
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = await (await site.get("/api/v1/suppressions", params={"limit": "50", "cursor": cursor})).json()
        seen += [each["address"] for each in page["items"]]
        cursor = page["next"]
    assert (len(seen), len(set(seen)), seen[0]) == (121, 121, "ada@example.org")
    found = await (await site.get("/api/v1/suppressions?q=P11")).json()
    assert [each["address"] for each in found["items"]] == [f"p11{n}@example.org" for n in range(10)]
    await post("/remove", 200, address="ADA@example.org")
    assert "not on the suppression list" in (await post("/remove", 404, address="ada@example.org"))["detail"]


async def test_a_mailbox_that_is_away_is_no_reason_to_suppress_an_address(
    mailing: Family, mail_server: MailServer, database: Database
) -> None:
    mail_server.refused = {"busy@example.org": "450 4.2.1 mailbox busy"}
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        await send_email({**await mailing(), "job_try": 6}, "busy@example.org", "alert", **ALERT)
    assert await listed(database) == {}
