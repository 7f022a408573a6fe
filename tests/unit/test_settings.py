"""Settings, as the environment has them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from arqlight.checked_fields import Secret, WrongFields, checked, option
from arqlight.errors import SettingsError
from arqlight.families.email.settings import EmailSettings
from arqlight.jobs.masking import secrets_of
from arqlight.key_ring import KeyRing
from arqlight.settings import FamilySettings, load_settings


@dataclass(frozen=True)
class Sample:
    name: str = option("x", "A text.")
    number: int = option(1, "A number.", least=0, most=10)
    share: float | None = option(None, "A share.", above=0, most=1)
    is_on: bool = option(False, "Yes or no.")
    folder: Path = option(Path(), "A folder.")
    key: Secret | None = option(None, "A secret.")
    kind: Literal["a", "b"] = option("a", "One of two.")


def test_texts_of_the_environment_become_what_a_field_wants() -> None:
    given = {"number": " 7 ", "share": "0.5", "is_on": "Yes", "folder": "/data", "key": "s", "kind": "b"}
    assert checked(Sample, given) == Sample("x", 7, 0.5, True, Path("/data"), Secret("s"), "b")
    assert checked(Sample, {"number": None}) == Sample()


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("number", "seven", "it is not a whole number"),
        ("number", "1.5", "it is not a whole number"),
        ("number", "", "it is not a whole number"),
        ("number", "²", "it is not a whole number"),
        ("number", True, "it is not a whole number"),
        ("number", "-1", "it must be at least 0"),
        ("number", "11", "it must be at most 10"),
        ("number", "9" * 5000, "it must be at most 10"),
        ("share", "0", "it must be above 0"),
        ("share", "nan", "it is not a number"),
        ("share", "inf", "it is not a number"),
        ("share", "a half", "it is not a number"),
        ("is_on", "maybe", "it is neither true nor false"),
        ("kind", "c", "it is none of a, b"),
        ("name", 1, "it is not a text"),
    ],
)
def test_a_value_that_will_not_do_is_named_with_the_reason(field: str, value: object, reason: str) -> None:
    with pytest.raises(WrongFields) as refused:
        checked(Sample, {field: value})
    assert refused.value.wrong == [(field, value, reason)]


def test_every_wrong_setting_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARQLIGHT_PORT", "70000")
    monkeypatch.setenv("arqlight_auth", "everybody")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value) == (
        "setting ARQLIGHT_PORT='70000': it must be at most 65,535; "
        "ARQLIGHT_AUTH='everybody': it is none of none, users, proxy, oidc"
    )


def test_the_address_that_alerts_go_to_is_a_secret_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARQLIGHT_ALERT_WEBHOOK", "https://chat.example/hush/room")
    settings = load_settings()
    assert "hush" not in repr(settings)
    assert "https://chat.example/hush/room" in secrets_of(settings)


@pytest.mark.parametrize("url", ["redis:/ada:hush@h", "ada:hush@h:6379", "://:hush@h", "http://a:hush@b@h", ":hush@"])
def test_a_wrong_address_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("REDIS_URL", "DATABASE_URL", "PUBLIC_URL", "STORAGE_URL", "ALERT_WEBHOOK"):
        monkeypatch.setenv(f"ARQLIGHT_{name}", url)
    with pytest.raises(SettingsError, match="ARQLIGHT_REDIS_URL") as refused:
        load_settings()
    assert "hush" not in str(refused.value)


def test_the_platforms_own_name_counts_where_ours_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    assert load_settings().port == 9000
    monkeypatch.setenv("ARQLIGHT_PORT", "9001")
    assert load_settings().port == 9001


def test_a_secret_shows_in_no_repr_and_is_masked_also_where_a_family_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SMTP_PASSWORD", "SECRET_KEY", "ACME_TOKEN", "OIDC_CLIENT_SECRET"):
        monkeypatch.setenv(f"ARQLIGHT_{name}", f"hush-{name}-{'x' * 32}")
    settings = load_settings()
    assert "hush" not in repr(settings) + str(settings) + repr(settings.of(EmailSettings))
    assert len([secret for secret in secrets_of(settings) if "hush" in secret]) == 4


def test_what_a_family_declares_a_secret_is_masked_whatever_its_name() -> None:
    @dataclass(frozen=True)
    class CustomersSettings(FamilySettings):
        customers_dsn: Secret | None = option(None, "Where they are, with a password.")
        customers_page: int = option(10, "At a time.")

    settings = load_settings(customers_dsn="crm://ada:hush@crm.example", customers_page=4321)
    assert settings.of(CustomersSettings).customers_dsn is not None
    secrets = secrets_of(settings)
    assert "crm://ada:hush@crm.example" in secrets
    assert "4321" not in secrets


def test_keys_are_derived_as_rfc_5869_says(tmp_path: Path) -> None:
    settings = load_settings(secret_key="k" * 40, data_dir=tmp_path)
    theirs = HKDF(hashes.SHA256(), 32, salt=None, info=b"arqlight:licence keys").derive(b"k" * 40)
    assert KeyRing(settings).derive("licence keys") == theirs
