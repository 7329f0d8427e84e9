"""Pipeline packages: a YAML, JSON, zip or tar.gz file into IR, bombs refused."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
import zlib
from typing import Any

from ....errors import InvalidPipeline
from ....pipeline_text import read_pipeline

#: The largest package, packed or unpacked, in bytes; Kubeflow's own limit.
MAX_UPLOAD = 32 << 20
_MAX_MEMBERS = 1000


def read_package(filename: str, content: bytes) -> dict[str, Any]:
    """A package's IR: the pipeline spec, or `pipeline_spec` and `platform_spec` beside.

    Raises InvalidPipeline on what is no package.
    """
    if len(content) > MAX_UPLOAD:
        raise too_large()
    if not filename.endswith((".yaml", ".yml", ".json")):
        if content.startswith(b"PK"):
            content = _unzipped(content)
        elif content.startswith(b"\x1f\x8b"):
            content = _untarred(content)
        else:
            raise InvalidPipeline(
                f"{filename or 'The file'} is not a pipeline package.",
                next_step="Upload a .yaml, .json, .zip or .tar.gz file.",
            )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidPipeline(f"{filename or 'The package'} is not UTF-8 text.") from error
    return read_pipeline(text)


def too_large() -> InvalidPipeline:
    """What is raised on a package beyond the limit."""
    return InvalidPipeline(
        f"The package is larger than {MAX_UPLOAD >> 20} MiB.",
        next_step="Move large embedded files or notebooks out of the pipeline.",
    )


def _unzipped(content: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            names = [member.filename for member in members[:_MAX_MEMBERS]]
            member = members[_chosen(names)]
            with archive.open(member) as file:
                return _limited(file)
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError) as error:
        raise InvalidPipeline(f"The zip file cannot be read: {error}") from error


def _untarred(content: bytes) -> bytes:
    """One pass for the names, one for the file: a tar has no directory."""
    try:
        # Unpacked first and within the limit: a bomb never gets further.
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            unpacked = _limited(packed)
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            members = []
            for member in archive:
                if member.isfile():
                    members.append(member)
                if len(members) > _MAX_MEMBERS:
                    break
            file = archive.extractfile(members[_chosen([member.name for member in members])])
            return file.read() if file else b""
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise InvalidPipeline(f"The tar.gz file cannot be read: {error}") from error


def _chosen(names: list[str]) -> int:
    """The index of `pipeline.yaml`, or of the first file where that is YAML."""
    for index, name in enumerate(names):
        if name in ("pipeline.yaml", "./pipeline.yaml"):
            return index
    if names and names[0].endswith((".yaml", ".yml")):
        return 0
    raise InvalidPipeline(
        "The archive holds no pipeline.yaml.", next_step="Put the pipeline there under that name."
    )


def _limited(file: Any) -> bytes:
    content: bytes = file.read(MAX_UPLOAD + 1)
    if len(content) > MAX_UPLOAD:
        raise too_large()
    return content
