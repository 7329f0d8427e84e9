"""Documents: Markdown, HTML, JSON and plain text."""

from __future__ import annotations

import json

from ..models import ArtifactRef, Output
from .sandbox import html_bundle
from .source import KIB, MIB, CannotShow, Source

_TEXT_TYPES = (".txt", ".log", ".yaml", ".yml", ".toml", ".cfg", ".ini", ".py")


def suffix(artifact: ArtifactRef) -> str:
    """The ending of the artifact's file, in lower case; empty where it has none."""
    name = artifact.uri.rstrip("/").rsplit("/", 1)[-1]
    return "." + name.rsplit(".", 1)[-1].lower() if "." in name else ""


class Markdown:
    """`system.Markdown`."""

    limit = MIB

    def accepts(self, artifact: ArtifactRef) -> bool:
        return artifact.type == "system.Markdown" or suffix(artifact) == ".md"

    def render(self, source: Source) -> list[Output]:
        text = source.text + _cut_note(source)
        return [source.output("markdown", {"text/markdown": text, "text/plain": text})]


class Html:
    """`system.HTML`: shown whole or not at all, since half a page is a broken page."""

    limit = 16 * MIB

    def accepts(self, artifact: ArtifactRef) -> bool:
        return artifact.type == "system.HTML" or suffix(artifact) in {".html", ".htm"}

    def render(self, source: Source) -> list[Output]:
        if "same_as" in source.artifact.metadata:
            return []  # a cell step's report says for other viewers what its notebook shows here
        if source.truncated:
            raise CannotShow("The page is larger than 16 MiB. Download it to open it.")
        return [source.output("html", html_bundle(source.text, source.artifact.name))]


class Json:
    """A file that ends in `.json`."""

    limit = MIB

    def accepts(self, artifact: ArtifactRef) -> bool:
        return suffix(artifact) == ".json"

    def render(self, source: Source) -> list[Output]:
        if source.truncated:
            raise CannotShow("The file is larger than 1 MiB. Download it to look at it.")
        try:
            value = json.loads(source.text)
        except ValueError as error:
            raise CannotShow(f"The file is not JSON: {error}.") from error
        text = json.dumps(value, indent=2, ensure_ascii=False)
        bundle = {"text/plain": text}
        if isinstance(value, (dict, list)):
            return [source.output("json", {"application/json": value, **bundle})]
        return [source.output("json", bundle)]


class PlainText:
    """The beginning of a file that ends like a text."""

    limit = 64 * KIB

    def accepts(self, artifact: ArtifactRef) -> bool:
        return suffix(artifact) in _TEXT_TYPES

    def render(self, source: Source) -> list[Output]:
        return [source.output("text", {"text/plain": source.text + _cut_note(source)})]


def _cut_note(source: Source) -> str:
    return "\n\n… The rest is in the file: download it." if source.truncated else ""
