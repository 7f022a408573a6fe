"""`arqlight user …` and `arqlight token …`: who may come in. They write to the server, so no service need run."""

import asyncio
import contextlib
import getpass
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import click

from arqlight.connections.connection import Connection
from arqlight.connections.named import open_connections
from arqlight.connections.parts.store import Store
from arqlight.errors import ArqlightError, SettingsError
from arqlight.journal.audit_entry import AuditEntry, Kind, new_entry
from arqlight.settings import load_settings
from arqlight_service.auth.roles import SCOPES, Role
from arqlight_service.auth.second_factor import new_factor
from arqlight_service.auth.tokens import Tokens
from arqlight_service.auth.users import Users
from arqlight_service.cli.answers import from_server_of
from arqlight_service.cli.flags import to_environment

Answer = TypeVar("Answer")
ROLES = [role.shown for role in Role if role]


@contextlib.asynccontextmanager
async def _home() -> AsyncIterator[Connection]:
    """The connection where users and tokens are kept."""
    connections = open_connections(load_settings())
    try:
        if connections.home is None:
            raise SettingsError("users and tokens are kept in Redis or Valkey, and no connection to one is set")
        with from_server_of(connections.home):
            yield connections.home
    finally:
        await connections.close()


def _run(work: Callable[[Store], Awaitable[Answer]], does: str = "", kind: Kind = "change") -> Answer:
    """Do something there; `does` goes into the audit list, under the name of this machine's user."""

    async def run() -> Answer:
        async with _home() as home:
            try:
                answer = await work(home.store)
            except ArqlightError as error:
                if does:
                    await home.audit.add(_entry("refused", does, f"refused: {error}"))
                raise
            if does:
                await home.audit.add(_entry(kind, does, "done"))
            return answer

    return asyncio.run(run())


def _entry(kind: Kind, does: str, result: str) -> AuditEntry:
    return new_entry(kind, f"{_login()} (command line)", does, address=socket.gethostname(), result=result)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "somebody"


def _where(command: Callable[..., Any]) -> Callable[..., Any]:
    for name in ("data_dir", "redis_url"):
        about = f"[env: ARQLIGHT_{name.upper()}]"
        flag = f"--{name.replace('_', '-')}"
        command = click.option(flag, name, callback=to_environment, expose_value=False, help=about)(command)
    return command


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


@click.group()
def user() -> None:
    """Users who sign in with a password (ARQLIGHT_AUTH=users)."""


@user.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="viewer", show_default=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input, one line.")
@_where
def add_user(name: str, role: str, password_stdin: bool) -> None:
    """Create a user."""
    password = _password(password_stdin)
    _run(lambda store: _users(store).add(name, password, role), f"add user {name}, {role}")
    click.echo(f"{name} may sign in as {role}")


@user.command("change")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES))
@click.option("--password", "new_password", is_flag=True, help="Ask for a new password.")
@click.option("--password-stdin", is_flag=True, help="Read a new password from standard input.")
@_where
def change_user(name: str, role: str | None, new_password: bool, password_stdin: bool) -> None:
    """Change role or password; the user's sessions and feeds end within seconds."""
    if role is None and not (new_password or password_stdin):
        raise click.UsageError("nothing to change: give --role, --password or --password-stdin")
    password = _password(password_stdin) if new_password or password_stdin else None
    what = ", ".join(filter(None, [role, "password" if password is not None else ""]))
    _run(lambda store: _users(store).change(name, password=password, role=role), f"change user {name}: {what}")
    click.echo(f"user {name} is changed and has to sign in again")


@user.command("second-factor")
@click.argument("name")
@click.option("--off", is_flag=True, help="Ask for no code any more: the app and the recovery codes are lost.")
@click.option("--no-check", is_flag=True, help="Do not ask for a code first, for scripts.")
@_where
def second_factor(name: str, off: bool, no_check: bool) -> None:
    """Ask for a code of an authenticator app (TOTP) beside the password; the user's sessions end."""
    if off:
        _run(lambda store: _users(store).set_factor(name, None), f"remove the second factor of user {name}", "secret")
        click.echo(f"user {name} signs in with the password alone")
        return
    _run(lambda store: _users(store).existing(name))
    factor, codes = new_factor()
    click.echo(f"Enter this key in the app: {factor.key}\nor open: {factor.address(name)}")
    if not no_check and factor.used_by(str(click.prompt("Code that the app shows")), time.time()) is None:
        raise SettingsError("that is not the code for this key; nothing is changed (is the clock of both right?)")
    _run(lambda store: _users(store).set_factor(name, factor), f"set a second factor of user {name}", "secret")
    click.echo(f"user {name} needs a code to sign in. Recovery codes, each for one time, not shown again:")
    click.echo("\n".join(codes))


def _users(store: Store) -> Users:
    return Users(store.users, store.used_codes)


@user.command("remove")
@click.argument("name")
@_where
def remove_user(name: str) -> None:
    """Delete a user; the user's sessions and feeds end within seconds."""
    _run(lambda store: _users(store).remove(name), f"remove user {name}")
    click.echo(f"user {name} is deleted")


@user.command("list")
@_where
def list_users() -> None:
    """Every user."""
    for each in _run(lambda store: _users(store).all()):
        shown = each.to_json()
        secrets = "password and code" if shown["second_factor"] else "password"
        click.echo(f"{shown['name']}\t{shown['role']}\tsince {shown['created_at']}\t{secrets}")


@click.group()
def token() -> None:
    """API tokens for programs, where ARQLIGHT_AUTH is not `none`."""


@token.command("add")
@click.argument("name")
@click.option("--scope", type=click.Choice(SCOPES), default="viewer", show_default=True, help="Role, or one purpose.")
@click.option("--days", type=float, default=90, show_default=True, help="Days until it expires, 366 at most.")
@_where
def add_token(name: str, scope: str, days: float) -> None:
    """Create a token; it is printed once."""
    made, text = _run(lambda store: Tokens(store.tokens).add(name, scope, days), f"add token {name}, {scope}", "secret")
    click.echo(
        f"token {made.id} for {scope}, valid until {made.to_json()['expires_at']}; it is not shown again:", err=True
    )
    click.echo(text)


@token.command("revoke")
@click.argument("token_id")
@_where
def revoke_token(token_id: str) -> None:
    """Revoke a token; its open feeds close within seconds."""
    gone = _run(lambda store: Tokens(store.tokens).revoke(token_id), f"revoke token {token_id}")
    click.echo(f"token {gone.id} ({gone.name}) is revoked")


@token.command("list")
@_where
def list_tokens() -> None:
    """Every token, without its text."""
    for each in _run(lambda store: Tokens(store.tokens).all()):
        shown = each.to_json()
        click.echo(f"{shown['id']}\t{shown['name']}\t{shown['scope']}\tuntil {shown['expires_at']}")
