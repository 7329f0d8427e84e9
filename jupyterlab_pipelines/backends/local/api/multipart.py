"""Reads the file of a multipart upload."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import unquote

from ....errors import BadInput


def uploaded_file(content_type: str, body: bytes, field: str) -> tuple[str, bytes]:
    """The file name and bytes of a form's file field. Raises BadInput."""
    next_step = f"Send multipart/form-data with the package in the field {field!r}."
    if not content_type.lower().startswith("multipart/form-data"):
        raise BadInput("The request is not a file upload.", next_step=next_step)
    header = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    form = BytesParser(policy=HTTP).parsebytes(header + body)
    for part in form.iter_parts() if form.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        filename = part.get_filename()
        if name == field and filename is not None:
            content = part.get_payload(decode=True)
            if isinstance(content, bytes):
                return unquote(filename), content
    raise BadInput(f"The upload has no file in the field {field!r}.", next_step=next_step)
