"""Fills in the IR's placeholders: inputs, outputs, the job's names, IfPresent and Concat."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from pydantic import JsonValue

from ..records import RunContext, TaskFailure
from .parameters import as_text

_PLACEHOLDER = re.compile(r"\{\{\$(.*?)\}\}", re.DOTALL)
_KEYED = re.compile(
    r"\.(?P<side>inputs|outputs)\.(?P<kind>parameters|artifacts)"
    r"\['{1,2}(?P<key>[^']*)'{1,2}\](?:\.(?P<field>\w+)(?:\['{1,2}(?P<entry>[^']*)'{1,2}\])?)?"
)


def task_uid(run_id: str, task_id: str) -> str:
    """A task's own UUID, the same whenever it is asked."""
    return str(uuid5(NAMESPACE_URL, f"{run_id}/{task_id}"))


def workspace_of(run: RunContext) -> Path:
    """The folder that the run's tasks share."""
    return run.workspace or run.artifacts_root.parent / "workspace"


def run_names(run: RunContext, task_id: str, task_name: str) -> dict[str, str]:
    """The placeholders that depend on the run and the task alone, without their braces and `$`."""
    return {
        ".pipeline_job_name": run.job_name,
        ".pipeline_job_resource_name": run.job_resource_name,
        ".pipeline_job_uuid": run.run_id,
        ".pipeline_task_name": task_name,
        ".pipeline_task_uuid": task_uid(run.run_id, task_id),
        ".pipeline_job_create_time_utc": _rfc3339(run.created_at),
        ".pipeline_job_schedule_time_utc": _rfc3339(run.scheduled_at),
        ".pipeline_root": str(run.artifacts_root),
        ".workspace_path": str(workspace_of(run)),
    }


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Placeholders:
    """Fills in texts in one pass: what comes in through data is never looked at again.

    `executor_input` is ExecutorInput as JSON; it may hold parameters only.
    """

    def __init__(self, names: Mapping[str, str], executor_input: Mapping[str, Any]) -> None:
        self._names = names
        self._input = executor_input

    def text(self, text: str) -> str:
        """The text, known placeholders filled in. Raises TaskFailure on a missing input."""
        if "{{$" not in text:
            return text
        return _PLACEHOLDER.sub(self._replacement, text)

    def value(self, value: JsonValue) -> JsonValue:
        """A constant with the placeholders in its texts filled in, at any depth."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        return value

    def command(self, words: Sequence[str]) -> list[str]:
        """A command line: IfPresent and Concat unfolded, placeholders filled in."""
        filled: list[str] = []
        for word in words:
            if word.lstrip().startswith(('{"Concat":', '{"IfPresent":')):
                filled.extend(self.text(part) for part in self._unfold(_structure(word)))
            else:
                filled.append(self.text(word))
        return filled

    def _unfold(self, structure: Any) -> list[str]:
        """The words of a nested IfPresent or Concat; none where it is absent."""
        if structure is None:
            return []
        if isinstance(structure, str):
            return [structure]
        if isinstance(structure, list):
            return [word for item in structure for word in self._unfold(item)]
        if "Concat" in structure:
            return ["".join(self._unfold(structure["Concat"]))]
        if "IfPresent" in structure:
            choice = structure["IfPresent"]
            present = self._is_given(choice.get("InputName", ""))
            return self._unfold(choice.get("Then") if present else choice.get("Else"))
        raise TaskFailure(f"Its command holds a structure that is not known: {list(structure)}")

    def _is_given(self, name: str) -> bool:
        inputs = self._input.get("inputs", {})
        return inputs.get("parameterValues", {}).get(name) is not None or bool(
            inputs.get("artifacts", {}).get(name, {}).get("artifacts")
        )

    def _replacement(self, match: re.Match[str]) -> str:
        path = match.group(1)
        if path == "":
            return json.dumps(self._input)
        if path in self._names:
            return self._names[path]
        if path in (".outputs.output_file", ".outputMetadataUri"):
            return str(self._input.get("outputs", {}).get("outputFile", ""))
        keyed = _KEYED.fullmatch(path)
        return self._keyed(keyed) if keyed else match.group()

    def _keyed(self, match: re.Match[str]) -> str:
        side = self._input.get(match["side"], {})
        key = match["key"]
        if match["kind"] == "artifacts":
            return self._artifact(match, side.get("artifacts", {}).get(key, {}))
        if match["side"] == "outputs":
            return str(side.get("parameters", {}).get(key, {}).get("outputFile", ""))
        values = side.get("parameterValues", {})
        if key not in values:
            raise TaskFailure(
                f"The text `{match.string}` needs the input `{key}`, which has no value."
            )
        return as_text(values[key])

    def _artifact(self, match: re.Match[str], entry: Mapping[str, Any]) -> str:
        artifacts = entry.get("artifacts") or []
        if not artifacts:
            raise TaskFailure(f"It needs the artifact `{match['key']}`, which was not given.")
        artifact = artifacts[0]
        if match["field"] == "metadata":
            metadata = artifact.get("metadata", {})
            return as_text(metadata.get(match["entry"]) if match["entry"] else metadata)
        if match["field"] == "path" and artifact.get("customPath"):
            return str(artifact["customPath"])
        return str(artifact.get("uri", ""))


def _structure(word: str) -> Any:
    try:
        return json.loads(word)
    except ValueError:
        raise TaskFailure(f"Its command holds `{word[:60]}`, which is not JSON.") from None
