"""Read e-mail: single messages and mailboxes."""

import mailbox
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from pathlib import Path

from ragcli.readers.html import read_html
from ragcli.readers.outline import Outline, Page

_QUOTED = re.compile(r"^>.*\n?", re.MULTILINE)


def read_message(data: bytes) -> Page:
    """Return the page of a message: its subject, sender and date, and its text without quotations."""
    message = message_from_bytes(data, policy=policy.default)
    known = {name.lower(): str(message[name]) for name in ("From", "To", "Date") if message[name]}
    return Page(str(message["Subject"] or "").strip(), _sections(message).sections(), known)


def _sections(message: EmailMessage) -> Outline:
    outline = Outline()
    try:
        body = message.get_body(("plain", "html"))
        text = body.get_content() if body else ""
    except (LookupError, ValueError, AttributeError):  # an unknown encoding, a broken part
        body, text = None, str(message.get_payload(decode=False) or "")
    if body is not None and body.get_content_subtype() == "html":
        for section in read_html(text).sections:
            outline.add(section.text)
    elif body is None and message.is_multipart():  # messages in a message
        for part in message.walk():
            if part.get_content_type() == "text/plain":
                outline.add(_QUOTED.sub("", _text(part).replace("\r\n", "\n")))
    else:
        outline.add(_QUOTED.sub("", text.replace("\r\n", "\n")))
    return outline


def _text(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    try:
        return content.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:  # an unknown encoding
        return content.decode("utf-8", "replace")


def read_mailbox(path: Path) -> Iterator[Page]:
    """Yield the messages of an mbox file."""
    box = mailbox.mbox(path, create=False)
    try:
        for key in box.iterkeys():
            yield read_message(box.get_bytes(key))
    finally:
        box.close()
