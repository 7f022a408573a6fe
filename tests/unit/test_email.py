"""Decisions of e-mail: what a refusal is about, what a file and a bounce hold, languages, names of attachments."""

from typing import Any

import pytest

from arqlight.errors import InvalidInput
from arqlight.families.email.attachments import check_names
from arqlight.families.email.bounces import read_bounces
from arqlight.families.email.languages import check_name, language_tag, names_for
from arqlight.families.email.sending import bursts
from arqlight.families.email.suppressions import is_about_address, read_csv


@pytest.mark.parametrize(
    ("code", "said", "about"),
    [
        (550, "5.1.1 no such user", True), (550, "no such user", True), (553, "5.1.3 bad address", True),
        (550, "5.2.1 mailbox disabled", True), (556, "5.1.10 null MX", True), (551, "not local", True),
        (550, "5.7.1 blocked by policy", False), (552, "5.2.2 mailbox full", False), (554, "rejected", False),
        (552, "too large", False), (550, "5.7.26 unauthenticated", False), (550, "see 10.5.1.1 for help", True),
    ],
)  # fmt: skip
def test_only_what_is_said_of_the_address_itself_suppresses_it(code: int, said: str, about: bool) -> None:
    assert is_about_address(code, said) is about


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("ada@example.org", ["ada@example.org"]),
        ("\ufeffemail\r\nada@example.org\ngrace@example.org\rken@example.org\r\n\r\n",
         ["ada@example.org", "grace@example.org", "ken@example.org"]),
        ("name;email\nAda;Ada@Example.org\n", ["ada@example.org"]),
        ('name,address\n"Lovelace, Ada","ada@bücher.example"\n', ["ada@xn--bcher-kva.example"]),
    ],
)  # fmt: skip
def test_a_csv_is_read_with_a_byte_order_mark_and_any_line_ends(text: str, addresses: list[str]) -> None:
    read = read_csv(text)
    assert (read.addresses, read.refused) == (addresses, [])


def test_a_line_that_holds_no_address_is_told_with_its_number_and_the_others_are_read() -> None:
    read = read_csv(
        'email\nada@example.org\n=HYPERLINK("https://x")@example.org\nnobody\n@SUM(A1)\ngrace@example.org\n'
    )
    assert read.addresses == ["ada@example.org", "grace@example.org"]
    assert [each["line"] for each in read.refused] == [3, 4, 5]
    assert "begins like a formula" in read.refused[0]["reason"]
    assert "'nobody' is not an e-mail address" in read.refused[1]["reason"]


def test_a_csv_that_is_too_long_or_broken_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at most 10,000 at once"):
        read_csv("a@example.org\n" * 10_010)
    for empty in ("", "email\n", "\ufeff\r\n"):
        with pytest.raises(InvalidInput, match="holds no address"):
            read_csv(empty)
    with pytest.raises(InvalidInput, match="is no CSV"):
        read_csv('"' + "x" * 200_000)


REPORT = """\
From: MAILER-DAEMON@example.org
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="b"
MIME-Version: 1.0

--b
Content-Type: text/plain

This is the mail system.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; Gone@Example.org
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

Final-Recipient: rfc822; full@example.org
Action: failed
Status: 5.2.2

Final-Recipient: rfc822; late@example.org
Action: delayed
Status: 4.4.1

--b--
"""


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_bounce_names_who_is_gone(line_end: str) -> None:
    found = read_bounces(REPORT.replace("\n", line_end))
    assert [(each.address, each.status, each.is_about_address) for each in found] == [
        ("gone@example.org", "5.1.1", True),
        ("full@example.org", "5.2.2", False),
    ]
    assert "no such user" in found[0].said


@pytest.mark.parametrize("mail", ["", "hello", "Subject: Re: your mail\n\nI am on holiday", "\0" * 100])
def test_a_mail_that_is_no_report_is_refused(mail: str) -> None:
    with pytest.raises(InvalidInput, match="no delivery report"):
        read_bounces(mail)


def test_a_language_is_looked_up_from_the_nearest_to_none() -> None:
    assert [language_tag(tag) for tag in ("DE", "pt-br", "zh-hant-tw", "es-419")] == [
        "de",
        "pt-BR",
        "zh-Hant-TW",
        "es-419",
    ]
    assert names_for("alert", "zh-Hant-TW") == ["alert.zh-Hant-TW", "alert.zh-Hant", "alert.zh", "alert"]
    for wrong in ("", "english", "de_AT", "d", "de-", "../de", None, 7, ["de"]):
        with pytest.raises(InvalidInput, match="language"):
            language_tag(wrong)


@pytest.mark.parametrize(("name", "good"), [
    ("alert", True), ("alert.de", True), ("alert.pt-BR", True), ("alert.DE", False), ("alert.", False),
    ("a.b.c", False), ("1a", False), ("a b", False), ("a.de.fr", False), ("x" * 101, False), ("é", False),
])  # fmt: skip
def test_a_template_is_named_by_a_word_and_a_language(name: str, good: bool) -> None:
    if good:
        check_name(name)
    else:
        with pytest.raises(InvalidInput, match="name"):
            check_name(name)


@pytest.mark.parametrize(
    "names", ["invoice.pdf", 7, [1], ["/etc/passwd"], ["../secret"], ["a/../b"], ["a\\b"], ["a\nb"], [""], ["a/"],
              ["."], ["x"] * 11, None],
)  # fmt: skip
def test_what_names_no_file_in_the_store_is_refused(names: Any) -> None:
    with pytest.raises(InvalidInput, match="attachments"):
        check_names(names)


@pytest.mark.parametrize("per_minute", [1, 6, 10, 60, 100, 6000])
def test_a_part_of_the_rate_is_left_to_codes(per_minute: int) -> None:
    mails, codes = bursts(per_minute)
    assert 1 <= mails < codes <= max(2, per_minute // 10)
