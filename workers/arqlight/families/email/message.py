"""A mail out of a rendered template."""

import hashlib
from collections.abc import Sequence
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, getaddresses

from yarl import URL

from arqlight.errors import PermanentFailure
from arqlight.families.email.attachments import Attachment
from arqlight.families.email.rendering import Rendered


class InvalidEmail(PermanentFailure):
    """The message cannot be made from the arguments."""


def compose(
    sender: str,
    to: str,
    rendered: Rendered,
    mail_key: str,
    *,
    reply_to: str = "",
    attachments: Sequence[Attachment] = (),
    unsubscribe_url: str = "",
) -> EmailMessage:
    """The message. Its Message-ID depends on `mail_key` alone, so what is sent a second time is the same mail.

    An HTML part that came out empty is left out: mail programs would show it instead of the text. Raises InvalidEmail
    for an address that is none, and for a subject or text that came out empty.
    """
    for part in ("subject", "text"):
        if not getattr(rendered, part).strip():
            raise InvalidEmail(f"the {part} of the template comes out empty with these variables")
    from_address, to_address = parse_address(sender, "From"), parse_address(to, "to")
    message = EmailMessage()
    message["From"] = from_address
    message["To"] = to_address
    if reply_to:
        message["Reply-To"] = parse_address(reply_to, "reply_to")
    message["Date"] = formatdate(usegmt=True)
    digest = hashlib.sha256(mail_key.encode("utf-8", "replace")).hexdigest()[:32]
    message["Message-ID"] = f"<{digest}@{from_address.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    if unsubscribe_url:  # RFC 8058: a mail program asks this address itself, without a page
        message["List-Unsubscribe"] = f"<{unsubscribe_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["Subject"] = rendered.subject
    message.set_content(rendered.text)
    if rendered.html.strip():
        message.add_alternative(rendered.html, subtype="html")
    for each in attachments:
        kind, _, subtype = each.media_type.partition("/")
        message.add_attachment(each.data, maintype=kind, subtype=subtype, filename=each.name)
    return message


def parse_address(text: object, what: str) -> Address:
    """One address, with or without a name, its domain in ASCII (RFC 5891) for any server. Raises InvalidEmail."""
    if not isinstance(text, str):
        raise InvalidEmail(f"{what} is of type {type(text).__name__}, not a text; write name@example.org")
    try:
        [(name, address)] = getaddresses([text])
        if any(character in text for character in "\r\n\0") or "@" not in address:
            raise ValueError("no address")
        local, _, domain = address.rpartition("@")
        if not domain.isascii():
            domain = URL.build(scheme="http", host=domain).raw_host or ""
        # The parser knows the rules of RFC 5322 only; RFC 6531 lets any letter stand where one of ASCII may.
        spelled = "".join(character if character.isascii() else "a" for character in local)
        parsed = Address(display_name=name, addr_spec=f"{spelled}@{domain}")
        if not (parsed.username and parsed.domain):
            raise ValueError("no address")
        if spelled != local:
            parsed = Address(display_name=name, username=local, domain=domain)
    except (ValueError, HeaderParseError, IndexError):
        raise InvalidEmail(f"{what}={text!r} is not an e-mail address; write name@example.org") from None
    return parsed
