"""Images: PNG, JPEG and GIF as they are; SVG as a sandboxed page, since it can hold scripts."""

from __future__ import annotations

import base64

from ..models import ArtifactRef, Output
from .documents import suffix
from .sandbox import html_bundle
from .source import MIB, CannotShow, Source

_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif"}
_SIGNATURES = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8"}


class Image:
    """A file that ends like an image, and is one."""

    limit = 16 * MIB

    def accepts(self, artifact: ArtifactRef) -> bool:
        return suffix(artifact) in {*_TYPES, ".svg"}

    def render(self, source: Source) -> list[Output]:
        if source.truncated:
            raise CannotShow("The image is larger than 16 MiB. Download it to open it.")
        if suffix(source.artifact) == ".svg":
            return [source.output("image", html_bundle(source.text, source.artifact.name))]
        media_type = _TYPES[suffix(source.artifact)]
        content = source.content
        if content is None or not content.startswith(_SIGNATURES[media_type]):
            raise CannotShow(f"The file is not {media_type}.")
        encoded = base64.b64encode(content).decode("ascii")
        name = source.artifact.name
        return [source.output("image", {media_type: encoded, "text/plain": f"<image {name}>"})]
