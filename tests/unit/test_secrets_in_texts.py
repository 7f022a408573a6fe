"""What is masked in texts: by shape, by the name before it, and what is set for this process."""

import json
import pickle
import time

import pytest

from arqlight.jobs.display import as_json
from arqlight.jobs.job import read_arguments
from arqlight.jobs.secret_names import is_secret
from arqlight.jobs.secret_texts import MASK, hide, hide_within, passwords_in

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow+abc/def==\n-----END RSA PRIVATE KEY-----"
SECRETS = {
    KEY: "MIIEow",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl": "c2lnbmF0dXJl",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": "MfKQ9r8G",
    "Authorization: Bearer abc123def456": "abc123def456",
    "authorization=Basic dXNlcjpwYXNz==": "dXNlcjpwYXNz",
    "redis://:p@ss/w0rd@cache:6379/0": "ss/w0rd",
    "postgresql://app:hunter22@db/app": "hunter22",
    "https://ghp_abcdefghijklmnop1234@github.com/x": "abcdefghijklmnop",
    "unix:///run/redis.sock?password=hunter22": "hunter22",
    '{"accessToken": "abc-def", "n": 1}': "abc-def",
    '{"pin": 4711, "n": 1}': "4711",
    "{'db_password': 'it\\'s', 'n': 1}": "it\\'s",
    "{'key': b'x', 'secret': b'\\x00raw'}": "raw",
    '"{\\"api_key\\": \\"abc-def\\"}"': "abc-def",
    "POST /hook?token=abc%2Fdef&n=1 failed": "abc%2Fdef",
    "could not sign in: password: hunter22": "hunter22",
    "https://hooks.slack.com/services/T000/B000/XXXXsecret": "XXXXsecret",
    "https://discord.com/api/webhooks/123/abcDEF-secret": "abcDEF",
    "AKIAIOSFODNN7EXAMPLE was refused": "AKIAIOSFODNN7",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc": "4eC39HqL",
    "X-API-Key: abc-def-1": "abc-def",
    "Cookie: sid=abc-def-1; theme=dark": "abc-def",
    'Set-Cookie: sid="abc-def-1"; Path=/': "abc-def",
    "Authorization: Token abc-def-1": "abc-def",
    'Authorization: Digest username="ada", response="abc-def-1"': "abc-def",
    "curl -H 'Authorization: Token abc-def-1' https://example.org": "abc-def",
    '["X-Api-Key", "abc-def-1"]': "abc-def",
    '[["user", "ada"], ["password", "abc-def-1"]]': "abc-def",
    "{'headers': [(b'authorization', b'abc-def-1')]}": "abc-def",
    '{"name": "Authorization", "value": "abc-def-1"}': "abc-def",
    "['mysql', '--password', 'abc-def-1', '-h', 'db']": "abc-def",
    "mysql --password=abc-def-1 -h db": "abc-def",
    "mysql --password abc-def-1 -h db": "abc-def",
    "password = abc-def-1": "abc-def",
    "export DB_PASSWORD=abc-def-1": "abc-def",
    r'{"a": "{\"b\": \"{\\\"token\\\": \\\"abc-def-1\\\"}\"}"}': "abc-def",
    '{"tokens": ["abc-def-1", "abc-def-2"], "n": 1}': "abc-def",
    '{"tokens": ["abc-def-1", "abc-d': "abc-d",
    '{"token": "abc-d': "abc-d",
    r"{\"token\": \"abc-d": "abc-d",
    "<ns:Password type='text'>abc-def-1</ns:Password>": "abc-def",
    "<password><![CDATA[abc-def-1]]></password>": "abc-def",
    '<add key="Password" value="abc-def-1"/>': "abc-def",
    'form-data; name="password"\r\n\r\nabc-def-1\r\n--b': "abc-def",
    "password: |\n    abc-def-1\n    abc-def-2": "abc-def",
    '"password" => "abc-def-1"': "abc-def",
    "password:abc-def-1": "abc-def",
    "https://b.s3.amazonaws.com/k?X-Amz-Signature=abc-def-1": "abc-def",
    "https://x.blob.core.windows.net/c?sv=2020&sig=abc-def-1": "abc-def",
    "Пароль: abc-def-1": "abc-def",
    "\N{FULLWIDTH LATIN SMALL LETTER P}assword=abc-def-1": "abc-def",
    "hf_abcdefghijklmnopqrstuvwxyz": "abcdefgh",
    "hvs.CAESIJabcdefghijkl123": "CAESI",
    "ya29.a0AfH6SMBabcdefghijk": "a0AfH6",
    "https://api.telegram.org/bot123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc/send": "EhBOweik6",
    "eyJhbGciOiJkaXIifQ..bm9uY2U.Y2lwaGVy.dGFn": "Y2lwaGVy",
}


@pytest.mark.parametrize(("text", "part"), SECRETS.items())
@pytest.mark.parametrize("around", ["{}", "it said {} and stopped", "<{}>", "({})"])
def test_a_secret_is_masked_by_its_shape_or_the_name_before_it(text: str, part: str, around: str) -> None:
    hidden = hide(around.format(text))
    assert part not in hidden
    assert MASK in hidden
    assert hide(hidden) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "exit code: 1",
        "the key: this is how it goes",
        "    token = read_token(path)",
        "Basic authentication is not supported, nor is Bearer authorization",
        "see https://example.org/a:b?page=2&sort_key=name, or mail ada@example.org",
        '{"status_code": 404, "max_tokens": 256, "sort_key": "name", "country_code": "DE"}',
        "ratio 3:4, at 12:30:01, dict(a=1)",
        "-----BEGIN CERTIFICATE-----",
        "exit code=1, return code=-11",
        "token: unexpected character '}' at 3",
        "class Token: pass",
        "token = self.token",
        "f(token=token, password=None)",
        "password: must be set",
        "Authorization: the user may not do this",
        "ssh://git@github.com/x",
        "def f(password: str, n: int) -> None:",
        "pass=1 fail=0",
        "--token-limit 5",
    ],
)
def test_what_is_no_secret_is_left_as_it_is(text: str) -> None:
    assert hide(text) == text


@pytest.mark.parametrize(
    "name",
    ["privatekey", "accessKeys", "dbpass", "creds", "dsn", "session_id", "X-Amz-Signature", "sig", "connectionString",
     "contraseña", "Passwort", "\N{FULLWIDTH LATIN SMALL LETTER P}assword", "JSESSIONID",
     "password", "dbPassword", "PASSWORD_HASH", "pwd", "accessToken", "x-api-key", "apiKey", "APIKey", "clientSecret",
     "private_key", "signingKey", "licenceKeys", "otp", "token2", "recovery_codes", "Set-Cookie", b"password"],
)  # fmt: skip
def test_names_of_secrets_are_known_in_every_style(name: object) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "key",
        "sort_key",
        "status_code",
        "total_tokens",
        "author",
        "passenger",
        "compass",
        "codec",
        "pinned",
        "bypass",
        "monkey",
        "turkeys",
        "design",
        "session",
        "max_tokens",
        7,
        None,
    ],
)
def test_other_names_are_not_taken_for_secrets(name: object) -> None:
    assert not is_secret(name)


def test_a_secret_is_masked_however_another_format_writes_it() -> None:
    secret = "pä\"ss'w/ö rd&\\"
    for written in (repr(secret), json.dumps(secret), f"?x={secret!r}", json.dumps({"a": secret}, ensure_ascii=False),
                    repr(repr(secret)), json.dumps(json.dumps([secret])), repr(json.dumps(secret))):  # fmt: skip
        assert hide(written, [secret]).count(MASK) == 1, written


def test_values_under_a_secrets_name_are_masked_whatever_their_type() -> None:
    shown = as_json(
        {"token": b"raw", "keys": [{"apiKey": 7, "deep": {"pwd": ["a", 1.5]}}], "body": '{"otp": "123456"}'}
    )
    assert shown == {
        "token": MASK, "keys": [{"apiKey": MASK, "deep": {"pwd": MASK}}], "body": f'{{"otp": "{MASK}"}}',
    }  # fmt: skip
    assert hide_within({"n": 471100, "of": ["471100", 4711]}, ["471100"]) == {"n": MASK, "of": [MASK, 4711]}


def test_the_passwords_of_an_address_are_found_as_they_are_and_as_they_are_written() -> None:
    several = "a=redis://u:p%40ss@h/0, b=postgresql://x:y2k@h/d?sslpassword=zzz"
    assert passwords_in(several) == ["p%40ss", "p@ss", "y2k", "zzz"]


def test_a_secret_is_masked_wherever_else_it_stands_in_the_arguments() -> None:
    payload = pickle.dumps({
        "t": 1, "f": "call", "et": 1, "a": ["at abc-def-1", ["--token", "opt-ion-1"], "opt-ion-1!", 471100],
        "k": {"password": "abc-def-1", "pin": 471100, "body": '{"token": "in-json-1"}', "note": "in-json-1?",
              "headers": [["X-Api-Key", "head-er-1"]], "again": "head-er-1", "env": {"name": "PASSWORD", "value": "en-v-1"}},
    })  # fmt: skip
    shown = read_arguments(payload)
    for secret in ("abc-def-1", "opt-ion-1", "in-json-1", "head-er-1", "en-v-1", "471100"):
        assert secret not in json.dumps([shown.args, shown.kwargs])
        assert secret in shown.secrets
    assert shown.kwargs["headers"] == [["X-Api-Key", MASK]]


def test_the_first_of_two_arguments_does_not_name_the_second() -> None:
    payload = pickle.dumps({"t": 1, "f": "mail", "et": 1, "a": ["password_reset", "ada@example.org"], "k": {}})
    assert read_arguments(payload).args == ["password_reset", "ada@example.org"]


@pytest.mark.parametrize(
    "text",
    ["password", "token: '", "<password>", 'name="token" ', '["X-Api-Key", ', '\\"token\\": ', "--password ", "x: |\n  ",
     '{"token": [', "form-data; name=token\n", "cookie: x", "(token=", '"a","'],
)  # fmt: skip
def test_no_text_takes_long_to_look_through(text: str) -> None:
    began = time.process_time()
    hide((text * 100_000)[:100_000])
    assert time.process_time() - began < 1
