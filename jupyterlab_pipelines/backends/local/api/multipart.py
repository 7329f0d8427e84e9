"""Reads the file of a multipart upload; email's parser reads the headers, not the megabytes."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import HTTP
from urllib.parse import unquote

from ....errors import BadInput

#: The longest headers of a part, in bytes.
_MAX_HEADERS = 8 * 1024
#: More parts are not looked at.
_MAX_PARTS = 100


def uploaded_file(content_type: str, body: bytes, field: str) -> tuple[str, bytes]:
    """The file name and bytes of a form's file field. Raises BadInput."""
    next_step = f"Send multipart/form-data with the package in the field {field!r}."
    form = _headers(f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace"))
    boundary = form.get_boundary()
    if form.get_content_type() != "multipart/form-data" or not boundary:
        raise BadInput("The request is not a file upload.", next_step=next_step)
    for headers, content in _parts(body, b"--" + boundary.encode("latin-1", "replace")):
        name = headers.get_param("name", header="content-disposition")
        filename = headers.get_filename()
        if name == field and filename is not None:
            return unquote(filename), content
    raise BadInput(f"The upload has no file in the field {field!r}.", next_step=next_step)


def _parts(body: bytes, delimiter: bytes) -> Iterator[tuple[EmailMessage, bytes]]:
    """Headers and content of each part that is whole."""
    start = body.find(delimiter)
    for _ in range(_MAX_PARTS):
        if start < 0:
            return
        start = body.find(b"\r\n", start + len(delimiter))
        blank = body.find(b"\r\n\r\n", start, start + _MAX_HEADERS) if start >= 0 else -1
        end = body.find(b"\r\n" + delimiter, blank + 2) if blank >= 0 else -1
        if end < 0:
            return
        yield _headers(body[start + 2 : blank + 4]), body[blank + 4 : end]
        start = end + 2


def _headers(content: bytes) -> EmailMessage:
    return BytesHeaderParser(policy=HTTP).parsebytes(content)
