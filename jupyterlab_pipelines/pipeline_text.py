"""Reads a compiled pipeline's text into IR without trusting it, and says what it takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml

from .errors import InvalidPipeline
from .models import PipelineDescription, PipelineParameter, Problem

#: The longest text that is looked at, in characters.
MAX_TEXT = 16 << 20
#: The largest tree, every alias counted as often as it repeats its anchor.
MAX_NODES = 500_000
MAX_DEPTH = 100


def read_pipeline(pipeline: str | Mapping[str, Any]) -> dict[str, Any]:
    """IR from YAML or JSON text of one or two documents, or from what is parsed already.

    The result holds the fields of the pipeline spec or, where there are platform settings,
    `pipeline_spec` and `platform_spec`. Raises InvalidPipeline naming line and column.
    """
    documents = _documents(pipeline) if isinstance(pipeline, str) else [dict(pipeline)]
    if not documents:
        raise InvalidPipeline("The pipeline is empty.")
    if len(documents) > 2 or not all(isinstance(document, dict) for document in documents):
        raise InvalidPipeline(
            "The text is not a compiled pipeline: it must hold a mapping, and at most one more"
            " with `platforms`."
        )
    for document in documents:
        _check_json(document)
        _refuse_v1(document)
    if len(documents) == 2:
        documents.sort(key=lambda document: "platforms" in document)
        documents = [{"pipeline_spec": documents[0], "platform_spec": documents[1]}]
    spec, platform = split(documents[0])
    if not isinstance(spec.get("root"), dict):
        raise InvalidPipeline(
            "The text is not a compiled pipeline: `root` is missing.",
            problems=[Problem(message="is missing", place="root")],
        )
    return {"pipeline_spec": spec, "platform_spec": platform} if platform else spec


def split(pipeline: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The pipeline spec and the platform spec, in whichever of their forms they come."""
    inner = pipeline.get("pipeline_spec", pipeline.get("pipelineSpec"))
    if isinstance(inner, dict) and "root" not in pipeline:
        platform = pipeline.get("platform_spec", pipeline.get("platformSpec"))
        return inner, platform if isinstance(platform, dict) and platform else None
    spec = dict(pipeline)
    platforms = spec.pop("platforms", None)
    return spec, {"platforms": platforms} if platforms else None


def describe(pipeline: Mapping[str, Any]) -> PipelineDescription:
    """Name and parameters, as the IR declares them."""
    spec, _ = split(pipeline)
    info = _mapping(spec.get("pipelineInfo"))
    root = _mapping(spec.get("root"))
    declared = _mapping(_mapping(root.get("inputDefinitions")).get("parameters"))
    return PipelineDescription(
        name=str(info.get("name", "")),
        description=str(info.get("description", "")),
        parameters=[_parameter(name, _mapping(value)) for name, value in declared.items()],
    )


def _parameter(name: str, declared: Mapping[str, Any]) -> PipelineParameter:
    has_default = "defaultValue" in declared
    return PipelineParameter(
        name=name,
        type=str(declared.get("parameterType", "STRING")),
        description=str(declared.get("description", "")),
        required=not has_default and not declared.get("isOptional", False),
        default=declared.get("defaultValue"),
        choices=declared.get("literals") or [],
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


# --- text ----------------------------------------------------------------------------------------


if TYPE_CHECKING:
    from yaml import SafeLoader
else:
    SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(SafeLoader):
    """YAML as JSON means it: a date stays the text that was written."""


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in SafeLoader.yaml_implicit_resolvers.items()
}


def _documents(text: str) -> list[Any]:
    if len(text) > MAX_TEXT:
        raise InvalidPipeline(
            f"The pipeline is larger than {MAX_TEXT >> 20} MiB.",
            next_step="Move large embedded files out of the pipeline.",
        )
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith("{"):
        try:
            return [json.loads(text, parse_constant=_no_constant)]
        except (ValueError, RecursionError):
            pass  # a YAML flow mapping begins alike, and YAML names the place of an error too
    try:
        _check_size(text)
        documents = list(yaml.load_all(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        what = error.problem or error.context or "cannot be read"
        raise _at(error.problem_mark or error.context_mark, f"not valid YAML: {what}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        what = str(error).partition("\n")[0][:200]
        raise InvalidPipeline(f"The pipeline is not valid YAML: {what}.") from error
    return [document for document in documents if document is not None]


def _check_size(text: str) -> None:
    """Reads events only, so that aliases of aliases are counted before they are followed."""
    total = 0
    anchors: dict[str, int] = {}
    opened: list[tuple[str | None, int]] = []
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.DocumentStartEvent):
            anchors.clear()
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in opened):
                raise _at(event.start_mark, f"alias *{event.anchor} holds itself")
            total += anchors.get(event.anchor or "", 1)
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor:
                anchors[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, total))
            total += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            if anchor:
                anchors[anchor] = total - before
        if total > MAX_NODES:
            raise _at(event.start_mark, "larger than any pipeline, its aliases followed")
        if len(opened) > MAX_DEPTH:
            raise _at(event.start_mark, f"nested more than {MAX_DEPTH} levels deep")


def _at(mark: Any, what: str) -> InvalidPipeline:
    if mark is None:
        return InvalidPipeline(f"The pipeline is {what}.")
    line, column = mark.line + 1, mark.column + 1
    return InvalidPipeline(
        f"The pipeline is {what} (line {line}, column {column}).",
        problems=[Problem(message=what, line=line, column=column)],
    )


def _check_json(document: Any) -> None:
    """Raises InvalidPipeline on what JSON, and so the IR, has no word for."""
    stack: list[tuple[Any, tuple[str, ...]]] = [(document, ())]
    nodes = 0
    while stack:
        node, place = stack.pop()
        nodes += 1
        what = ""
        if isinstance(node, dict):
            wrong = next((key for key in node if not isinstance(key, str)), None)
            if wrong is not None:
                what = f"has the key {wrong!r}, which is not text: put it in quotes"
            stack.extend((value, (*place, key)) for key, value in node.items())
        elif isinstance(node, list):
            stack.extend((value, (*place, str(index))) for index, value in enumerate(node))
        elif node is not None and not isinstance(node, (str, int, float)):
            what = f"is a {type(node).__name__}, which JSON does not have"
        elif isinstance(node, float) and (node != node or node in (float("inf"), float("-inf"))):
            what = f"is {node}, which JSON does not have"
        if nodes > MAX_NODES or len(place) > MAX_DEPTH:
            what = "is larger or more deeply nested than any pipeline"
        if what:
            where = ".".join(place)
            raise InvalidPipeline(
                f"{where or 'The pipeline'} {what}.", problems=[Problem(message=what, place=where)]
            )


def _refuse_v1(document: Mapping[str, Any]) -> None:
    if document.get("kind") == "Workflow" or "argoproj.io" in str(document.get("apiVersion", "")):
        raise InvalidPipeline(
            "This is a v1 pipeline: an Argo Workflow, as kfp 1 compiled it.",
            next_step="Compile it with kfp 2 and submit the new file.",
        )


def _no_constant(name: str) -> None:
    raise InvalidPipeline(f"The pipeline is not valid JSON: it holds {name}.")
