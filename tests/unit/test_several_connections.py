"""Several connections at once: shown together and each alone; one that is down does not stop the others."""

import pytest

from arqlight.connections.connection_errors import check_version
from arqlight.errors import SettingsError
from arqlight.settings import load_settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("legacy=http://x", "must begin with one of"),
        ("Legacy=redis://x", "is not such a name"),
        ("redis://:secret-word@x", "is not such a name"),
        ("a=redis://x a=redis://y", "named twice"),
        ("a=redis://x:port/0", "has a port that is no number"),
        ("a=redis:///0", "names no host"),
        ("a=redis://:secret-word@x/zero", "is no number of a database"),
        ("a=redis+sentinel://x:26379", "must name the master"),
        ("a=observe+postgresql://x", "only a Redis or Valkey can be observed"),
        ("database=redis://x", "cannot be named 'database'"),
    ],
)
def test_a_wrong_connection_is_refused_at_the_start_without_its_password(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(connections=text)
    assert said in str(refused.value)
    assert "secret-word" not in str(refused.value)


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"redis_version": "7.2.4", "valkey_version": "9.1.0"}, "Valkey 9.1.0"),
        ({"redis_version": "6.2.0"}, "Redis 6.2.0"),
        ({"redis_version": "5.0.14"}, "it is Redis 5.0.14, and this needs Redis 6.2 or any Valkey; update it"),
    ],
)
def test_a_server_that_is_too_old_is_told_so(about: dict[str, str], said: str) -> None:
    try:
        told = check_version(about)
    except ValueError as error:
        told = str(error)
    assert told == said
