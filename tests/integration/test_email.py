"""E-mail templates and sending, against a real SMTP server and PostgreSQL."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult
from aiosmtplib import SMTPRecipientsRefused
from arq import Retry
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from arqlight.checked_fields import Secret
from arqlight.errors import InvalidInput, NotFound, NotYet
from arqlight.families.database import Database
from arqlight.families.email import templates
from arqlight.families.email.message import InvalidEmail
from arqlight.families.email.rendering import MOST_SECONDS, Renderer
from arqlight.families.email.sending import CodeExpired, RecipientRefused, send_email, send_two_factor_code
from arqlight.families.email.tables import email_sends
from arqlight.jobs.display import as_json
from arqlight.settings import Settings
from tests.support.smtp import MailServer

Family = Callable[..., Awaitable[dict[str, Any]]]
PARTS = {"subject": "Hello {{ name }}", "text": "Dear {{ name }}", "html": "<p>Dear {{ name }}</p>"}


@pytest.fixture
async def renderer() -> Any:
    renderer = Renderer()
    yield renderer
    await renderer.close()


@pytest.fixture
async def mailing(family: Family, mail_server: MailServer) -> Callable[..., Awaitable[dict[str, Any]]]:
    async def make(**changes: Any) -> dict[str, Any]:
        return await family(smtp_host="127.0.0.1", smtp_port=mail_server.port, smtp_from="a@example.com", **changes)

    return make


async def test_a_saved_template_is_sent_and_an_older_version_can_be_sent_again(
    mailing: Family, mail_server: MailServer
) -> None:
    ctx = await mailing()
    database, renderer = ctx["database"], ctx["renderer"]
    first = await templates.save_template(database, renderer, "greeting", PARTS, who="ada")
    second = await templates.save_template(
        database, renderer, "greeting", {**PARTS, "text": "Hi {{ name }}"}, note="shorter", who="ada"
    )
    assert (first.version, second.version, second.variables) == (1, 2, ("name",))
    assert (await send_email(ctx, "x@example.org", "greeting", name="Grace"))["version"] == 2
    changes = templates.difference(first, second)
    assert changes["subject"] == []
    assert {"-Dear {{ name }}", "+Hi {{ name }}"} <= set(changes["text"])
    third = await templates.roll_back(database, renderer, "greeting", 1, who="grace")
    assert (third.version, third.text, third.note) == (3, "Dear {{ name }}", "Back to version 1")
    await send_email(ctx, "x@example.org", "greeting", name="Grace")
    assert [mail.get_body(("plain",)).get_content().strip() for mail in mail_server.messages] == [  # type: ignore[union-attr]
        "Hi Grace",
        "Dear Grace",
    ]
    assert [each.version for each in await templates.list_versions(database, "greeting")] == [3, 2, 1]


async def test_a_built_in_template_can_be_edited_and_gone_back_to(database: Database, renderer: Renderer) -> None:
    parts = {**templates.BUILT_IN["two_factor"].parts, "subject": "{{ code }}!"}
    saved = await templates.save_template(database, renderer, "two_factor", parts, who="ada")
    assert (await templates.find_template(database, "two_factor")).subject == "{{ code }}!"
    assert saved.version == 1
    again = await templates.roll_back(database, renderer, "two_factor", 0, who="ada")
    assert (again.version, again.subject) == (2, templates.SUBJECTS["two_factor"])
    with pytest.raises(NotFound, match="has no version 9"):
        await templates.find_template(database, "two_factor", 9)


async def test_two_who_save_at_once_get_two_versions(database: Database, renderer: Renderer) -> None:
    saves = (templates.save_template(database, renderer, "both", PARTS, who=who) for who in ("ada", "grace", "ken"))
    assert sorted(saved.version for saved in await asyncio.gather(*saves)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("part", "source", "reason"),
    [
        (
            "text",
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "takes longer than 2 s",
        ),
        ("text", "{{ ''.__class__.__mro__[1].__subclasses__() }}", "uses what templates may not use"),
        ("html", "{{ cycler.__init__.__globals__.os.popen('id').read() }}", "uses what templates may not use"),
        ("text", "{{ 'x' * 999999999 }}", "memory"),
        ("text", "{{ '%2000000000d' % 1 }}", "memory"),
        ("text", "{% for a in range(99999) %}{{ 'x' * 99 }}{% endfor %}", "more than 524,288 characters"),
        ("subject", "{% for %}", "line 1"),
        ("html", "{% include '/etc/passwd' %}", "TemplateNotFound"),
        ("text", "{{ range(9999999999) }}", "Range too big"),
        ("text", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "RecursionError"),
        ("subject", "   ", "it is empty"),
        ("text", "x" * 200_000, "it has 200,000 characters"),
    ],
)
async def test_a_template_that_is_a_trick_is_refused_with_part_and_reason_and_not_saved(
    database: Database, renderer: Renderer, part: str, source: str, reason: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await templates.save_template(database, renderer, "trick", {**PARTS, part: source}, who="eve")
    assert reason in str(refused.value)
    assert refused.value.field in (part, "template")
    with pytest.raises(NotFound):
        await templates.find_template(database, "trick")
    # What it did to the render process is over: the next template renders.
    assert (await renderer.render(PARTS, {"name": "Ada"})).text == "Dear Ada"


async def test_the_render_process_has_no_secret_in_its_environment_and_opens_no_file(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ARQLIGHT_SECRET_KEY", "ARQLIGHT_REDIS_URL", "AWS_SECRET_ACCESS_KEY", "STRIPE_KEY", "LC"):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("LC_TIME", "C")
    await renderer.render(PARTS, {"name": "Ada"})
    assert renderer._process
    process = Path(f"/proc/{renderer._process.pid}")
    seen = process.joinpath("environ").read_text()
    assert "LC_TIME=C" in seen
    assert "PATH=" in seen
    assert "hunter2" not in seen
    [limit] = [
        line for line in process.joinpath("limits").read_text().splitlines() if line.startswith("Max open files")
    ]
    assert limit.split()[3:5] == ["0", "0"]


async def test_every_filter_of_jinja2_works_in_the_render_process(renderer: Renderer) -> None:
    """Some import a module when they are first used, which that process cannot any more."""
    here = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    variables = {"words": "as far as www.example.org ü", "pairs": [{"a": 1}, {"a": 2}], "name": "Ada"}
    for name in sorted(here.filters.keys() - {"random"}):
        for call in (name, f"{name}(2)", f"{name}('a')"):
            source = f"{{{{ {'pairs' if name in ('groupby', 'map', 'dictsort') else 'words'} | {call} }}}}"
            try:
                expected = here.from_string(source).render(variables)
            except Exception:
                with pytest.raises(InvalidInput) as refused:
                    await renderer.render({**PARTS, "text": source}, variables)
                assert not re.search("ended|open files|No such file", str(refused.value)), source
            else:
                made = (await renderer.render({**PARTS, "text": source}, variables)).text
                assert re.sub("0x[0-9a-f]+", "", made) == re.sub("0x[0-9a-f]+", "", expected), source
    assert (await renderer.render({**PARTS, "text": "{{ lipsum(1) }}{{ '\\N{DIGIT ONE}' }}"}, variables)).text


async def test_an_endless_template_does_not_hold_back_the_event_loop(renderer: Renderer) -> None:
    endless = {**PARTS, "text": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"}
    await renderer.render(PARTS, {"name": "warm"})
    rendering = asyncio.create_task(renderer.render(endless, {"name": "x"}))
    longest, loop = 0.0, asyncio.get_running_loop()
    while not rendering.done():
        before = loop.time()
        await asyncio.sleep(0.005)
        longest = max(longest, loop.time() - before)
    with pytest.raises(InvalidInput):
        await rendering
    assert longest < MOST_SECONDS / 2


async def test_what_a_person_puts_into_a_variable_is_text_in_the_html_part(renderer: Renderer) -> None:
    made = await renderer.render(PARTS, {"name": "<script>alert(1)</script>{{ 7 * 7 }}"})
    assert "<script>" not in made.html
    assert "{{ 7 * 7 }}" in made.html
    assert "<script>" in made.text


async def test_a_mail_under_an_idempotency_key_goes_out_once(mailing: Family, mail_server: MailServer) -> None:
    ctx = await mailing()
    sent = await send_email(ctx, "x@example.org", "alert", idempotency_key="order 7", title="a", text="b")
    again = await send_email(
        {**ctx, "job_id": "another"}, "x@example.org", "alert", idempotency_key="order 7", title="a", text="b"
    )
    assert again == {"message_id": sent["message_id"], "suppressed": True}
    assert len(mail_server.messages) == 1


async def test_of_two_jobs_under_one_key_at_once_one_sends_and_the_other_waits_its_turn(
    mailing: Family, mail_server: MailServer
) -> None:
    mail_server.pause_s = 0.2
    ctx = await mailing()
    jobs = [
        send_email({**ctx, "job_id": name}, "x@example.org", "alert", idempotency_key="k", title="a", text="b")
        for name in ("one", "two")
    ]
    ends = await asyncio.gather(*jobs, return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["NotYet", "dict"]
    assert len(mail_server.messages) == 1


async def test_a_key_whose_mail_was_refused_is_free_again(mailing: Family, mail_server: MailServer) -> None:
    ctx = await mailing()
    mail_server.refused = {"gone@example.org": "550 5.1.1 no such user"}
    with pytest.raises(RecipientRefused):
        await send_email(ctx, "gone@example.org", "alert", idempotency_key="k", title="a", text="b")
    await send_email({**ctx, "job_id": "two"}, "here@example.org", "alert", idempotency_key="k", title="a", text="b")
    assert len(mail_server.messages) == 1


async def test_a_code_that_waited_longer_than_its_life_is_not_sent(mailing: Family, mail_server: MailServer) -> None:
    ctx = await mailing()
    assert send_two_factor_code.queue == "arq:queue:high"
    late = {**ctx, "enqueue_time": datetime.now(UTC) - timedelta(seconds=301)}
    with pytest.raises(CodeExpired, match="the code waited 301 s, longer than its life of 300 s: it was not sent"):
        await send_two_factor_code(late, "x@example.org", code="123456", life_s=300)
    assert not mail_server.messages
    await send_two_factor_code(ctx, "x@example.org", code="123456", life_s=300)
    assert "123456" in str(mail_server.messages[0]["Subject"])


async def test_mails_share_a_few_connections_and_survive_one_that_went(
    mailing: Family, mail_server: MailServer
) -> None:
    ctx = await mailing(smtp_connections=2)
    opened: list[Any] = []
    made: Callable[[], Any] = mail_server.factory

    def count() -> Any:
        opened.append(1)
        return made()

    mail_server.factory = count  # type: ignore[method-assign]
    mail_server.pause_s = 0.2  # longer than a mail takes to render, so that two are on their way at once
    jobs = [send_email({**ctx, "job_id": str(n)}, f"p{n}@example.org", "alert", title="a", text="b") for n in range(20)]
    await asyncio.gather(*jobs)
    assert len(mail_server.messages) == 20
    assert len(opened) == 2
    mail_server.pause_s = 0.0
    for server, *_ in ctx["smtp"]._idle:
        server.transport.abort()
    await asyncio.sleep(0)
    await send_email(ctx, "again@example.org", "alert", title="a", text="b")
    assert len(mail_server.messages) == 21


async def test_above_so_many_a_minute_a_mail_waits_its_turn_uncounted(mailing: Family, mail_server: MailServer) -> None:
    ctx = await mailing(smtp_per_minute=6)
    await send_email(ctx, "x@example.org", "alert", title="a", text="b")
    with pytest.raises(NotYet) as turn:
        await send_email({**ctx, "job_id": "two"}, "y@example.org", "alert", title="a", text="b")
    assert isinstance(turn.value, Retry), "a plain arq worker understands it"
    assert 2_000 < (turn.value.defer_score or 0) <= 20_000
    assert len(mail_server.messages) == 1


async def test_without_a_database_the_built_in_templates_are_sent_and_the_rest_says_what_is_missing(
    settings: Settings, mail_server: MailServer, mailing: Family
) -> None:
    ctx = await mailing(database_url=None)
    ctx["database"] = Database(settings)
    await send_email(ctx, "x@example.org", "alert", title="a", text="b")
    with pytest.raises(Exception, match="needs PostgreSQL, and no database is set"):
        await send_email(ctx, "x@example.org", "alert", idempotency_key="k", title="a", text="b")
    assert len(mail_server.messages) == 1


async def test_the_pool_signs_in_and_a_wrong_password_is_tried_again_and_never_shown(
    family: Family, settings: Settings
) -> None:
    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.login == b"ada" and data.password == b"right-horse", handled=False)

    server = MailServer(authenticator=check, auth_required=True, auth_require_tls=False)
    server.start()
    try:
        at = {"smtp_host": "127.0.0.1", "smtp_port": server.port, "smtp_username": "ada"}
        ctx = await family(**at, smtp_password=Secret("right-horse"))
        await send_email(ctx, "x@example.org", "alert", title="a", text="b")
        assert len(server.messages) == 1
        wrong = await family(**at, smtp_password=Secret("wrong-horse"))
        with pytest.raises(Retry) as refused:
            await send_email(wrong, "x@example.org", "alert", title="a", text="b")
        assert "refuses the sign-in as 'ada': 535" in str(refused.value.__cause__)
        assert "wrong-horse" not in f"{refused.value} {refused.value.__cause__}"
    finally:
        server.stop()


@pytest.mark.parametrize(
    "source",
    [
        "{{ '{0.__class__.__init__.__globals__}'.format(cycler) }}",  # CVE-2016-10745
        "{{ '{a.__class__}'.format_map({'a': 1}) }}",  # CVE-2019-10906
        "{% set f = '{0.__class__}'.format %}{{ f(1) }}",  # CVE-2024-56326
        "{{ ('{0.__class__}'|attr('format'))(1) }}",  # CVE-2025-27516
        "{{ ['{0.__class__}']|map('format', 1)|list }}",
        "{{ ('{0.__cl' ~ 'ass__}').format(1) }}",
        "{{ lipsum.__globals__['os'] }}",
        "{{ self.__init__.__globals__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ (1)|attr('__class__') }}",
        "{{ ''['__class__'] }}",
        "{{ [].append.__self__.__class__ }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ dict.mro() }}",
        "{{ name.__class__.__base__ }}",
        "{% set x = namespace() %}{% set x.__class__ = 1 %}{{ x.__class__ }}",
    ],
)
async def test_no_published_way_out_of_the_sandbox_leads_out(renderer: Renderer, source: str) -> None:
    try:
        text = (await renderer.render({**PARTS, "text": source}, {"name": "Ada"})).text
    except InvalidInput:
        return
    assert not re.search(r"class|module|function|globals|object at|builtin", text.replace("__class__", "")), text


async def test_a_domain_of_any_letters_goes_out_in_ascii(mailing: Family, mail_server: MailServer) -> None:
    ctx = await mailing()
    await templates.save_template(ctx["database"], ctx["renderer"], "greeting", PARTS, who="ada")
    await send_email(ctx, "Ada <ada@bücher.example>", "greeting", name="Ada")
    await send_email(ctx, "ada@straße.example", "greeting", name="Ada")
    assert [mail["To"].addresses[0].addr_spec for mail in mail_server.messages] == [
        "ada@xn--bcher-kva.example",
        "ada@xn--strae-oqa.example",
    ]


@pytest.mark.parametrize("takes", [True, False], ids=["with", "without"])
async def test_a_local_part_that_needs_smtputf8_goes_out_with_it_and_fails_at_once_without(
    family: Family, takes: bool
) -> None:
    server = MailServer(enable_SMTPUTF8=takes)
    await asyncio.to_thread(server.start)
    try:
        ctx = await family(smtp_host="127.0.0.1", smtp_port=server.port, smtp_from="a@example.com")
        await templates.save_template(ctx["database"], ctx["renderer"], "greeting", PARTS, who="ada")
        if takes:
            await send_email(ctx, "jürgen@bücher.example", "greeting", name="Jürgen")
            assert str(server.messages[0]["To"]) == "jürgen@xn--bcher-kva.example"
        else:
            with pytest.raises(InvalidEmail, match="needs a mail server with SMTPUTF8"):
                await send_email(ctx, "jürgen@example.org", "greeting", name="Jürgen")
            assert not server.messages
    finally:
        await asyncio.to_thread(server.stop)


async def test_the_message_id_of_a_result_is_text_as_it_stands_in_the_mail(
    mailing: Family, mail_server: MailServer
) -> None:
    sent = await send_email(await mailing(), "x@example.org", "alert", title="a", text="b")
    assert type(sent["message_id"]) is str
    assert sent["message_id"] == str(mail_server.messages[0]["Message-ID"])
    assert as_json(sent)["message_id"] == sent["message_id"], "as the page of the job shows it"


@pytest.mark.parametrize("ending", ["deferred at the last try", "cancelled"])
async def test_a_key_is_free_after_an_attempt_that_did_not_send_however_it_ended(
    mailing: Family, mail_server: MailServer, ending: str
) -> None:
    ctx = await mailing()
    args: dict[str, Any] = {"idempotency_key": "order 7", "title": "a", "text": "b"}
    if ending == "cancelled":
        mail_server.pause_s = 30
        running = asyncio.create_task(send_email(ctx, "busy@example.org", "alert", **args))
        await asyncio.to_thread(mail_server.receiving.wait, 20)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        mail_server.pause_s = 0
    else:
        mail_server.refused = {"busy@example.org": "451 4.3.0 try later"}
        with pytest.raises(SMTPRecipientsRefused):
            await send_email({**ctx, "job_try": 6}, "busy@example.org", "alert", **args)
    sent = await send_email({**ctx, "job_id": "two"}, "here@example.org", "alert", **args)
    assert "suppressed" not in sent
    assert [str(mail["To"]) for mail in mail_server.messages] == ["here@example.org"]


async def test_what_two_jobs_send_under_one_key_is_one_mail_to_its_reader(
    mailing: Family, mail_server: MailServer
) -> None:
    """The server took the mail and the connection broke before its answer: another job sends it again."""
    ctx = await mailing()
    args: dict[str, Any] = {"idempotency_key": "order 7", "title": "a", "text": "b"}
    await send_email(ctx, "x@example.org", "alert", **args)
    await release_all(ctx["database"])
    await send_email({**ctx, "job_id": "two"}, "x@example.org", "alert", **args)
    assert len({str(mail["Message-ID"]) for mail in mail_server.messages}) == 1


async def release_all(database: Database) -> None:
    async with database.begin() as connection:
        await connection.execute(email_sends.delete())


async def test_codes_and_mails_share_one_rate_and_codes_go_first(mailing: Family, mail_server: MailServer) -> None:
    ctx = await mailing(smtp_per_minute=6)
    mail: dict[str, Any] = {"title": "a", "text": "b"}
    await send_email(ctx, "x@example.org", "alert", **mail)
    with pytest.raises(NotYet):
        await send_email({**ctx, "job_id": "two"}, "y@example.org", "alert", **mail)
    await send_two_factor_code({**ctx, "job_id": "code"}, "ada@example.org", code="123456")
    with pytest.raises(NotYet):
        await send_two_factor_code({**ctx, "job_id": "code 2"}, "ada@example.org", code="654321")
    assert [str(each["To"]) for each in mail_server.messages] == ["x@example.org", "ada@example.org"]


async def test_an_html_part_that_comes_out_empty_is_not_sent_and_an_empty_text_fails(
    mailing: Family, mail_server: MailServer
) -> None:
    ctx = await mailing()
    parts = {"subject": "Hello", "text": "Dear {{ name }}", "html": "\n{% if name == 'Ada' %}<p>Hi</p>{% endif %}\n"}
    await templates.save_template(ctx["database"], ctx["renderer"], "greeting", parts, who="ada")
    await send_email(ctx, "x@example.org", "greeting", name="Grace")
    await send_email(ctx, "x@example.org", "greeting", name="Ada")
    assert [mail.get_content_type() for mail in mail_server.messages] == ["text/plain", "multipart/alternative"]
    await templates.save_template(ctx["database"], ctx["renderer"], "only", {**parts, "text": "{{ name }}"}, who="ada")
    with pytest.raises(InvalidEmail, match="the text of the template comes out empty"):
        await send_email(ctx, "x@example.org", "only", name=" ")
    assert len(mail_server.messages) == 2


async def test_a_variable_that_the_template_does_not_use_fails_by_its_name(
    mailing: Family, mail_server: MailServer
) -> None:
    ctx = await mailing()
    for unknown in ("titel", "subject", "cc"):
        with pytest.raises(InvalidEmail, match=f"'alert': {unknown}: the template does not use it; it uses severity"):
            await send_email(ctx, "x@example.org", "alert", title="a", text="b", **{unknown: "c"})
    assert not mail_server.messages
    # A code's template need not say for how long it is valid.
    parts = {"subject": "{{ code }}", "text": "{{ code }}", "html": ""}
    await templates.save_template(ctx["database"], ctx["renderer"], "two_factor", parts, who="ada")
    await send_two_factor_code(ctx, "x@example.org", code="123456")
    # Nor need an alert's that somebody wrote anew use all that alerts come with.
    await templates.save_template(ctx["database"], ctx["renderer"], "alert", {**parts, "subject": "{{ title }}",
                                  "text": "{{ title }}"}, who="ada")  # fmt: skip
    await send_email(ctx, "x@example.org", "alert", severity="warning", title="a", text="b", url="https://c")


@pytest.mark.parametrize("code", [123e45, True, None, 10**20, "", "1\n2", ["1"]])
async def test_a_code_whose_digits_are_not_sure_is_not_sent(
    mailing: Family, mail_server: MailServer, code: Any
) -> None:
    with pytest.raises(InvalidEmail, match="code"):
        await send_two_factor_code(await mailing(), "x@example.org", code=code)
    assert not mail_server.messages


@pytest.mark.parametrize("life_s", [10**400, float("nan"), -1, "300", True, None])
async def test_a_life_that_is_none_is_refused_by_name(mailing: Family, life_s: Any) -> None:
    with pytest.raises(InvalidEmail, match="life_s"):
        await send_two_factor_code(await mailing(), "x@example.org", code="123456", life_s=life_s)
