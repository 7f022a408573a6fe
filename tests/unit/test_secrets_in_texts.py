"""What is masked in texts: by shape, by the name before it, and what is set for this process."""

import json

import pytest

from arqlight.jobs.display import as_json
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
    ],
)
def test_what_is_no_secret_is_left_as_it_is(text: str) -> None:
    assert hide(text) == text


@pytest.mark.parametrize(
    "name",
    ["password", "dbPassword", "PASSWORD_HASH", "pwd", "accessToken", "x-api-key", "apiKey", "APIKey", "clientSecret",
     "private_key", "signingKey", "licenceKeys", "otp", "token2", "recovery_codes", "Set-Cookie", b"password"],
)  # fmt: skip
def test_names_of_secrets_are_known_in_every_style(name: object) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    ["key", "sort_key", "status_code", "total_tokens", "author", "passenger", "compass", "codec", "pinned", 7, None],
)
def test_other_names_are_not_taken_for_secrets(name: object) -> None:
    assert not is_secret(name)


def test_a_secret_is_masked_however_another_format_writes_it() -> None:
    secret = "pä\"ss'w/ö rd&\\"
    for written in (repr(secret), json.dumps(secret), f"?x={secret!r}", json.dumps({"a": secret}, ensure_ascii=False)):
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
