"""Small pipelines in IR for tests of the engine: steps are Python source, without a compiler."""

from __future__ import annotations

import json
from typing import Any

_SCRIPT = """program_path=$(mktemp -d)

printf "%s" "$0" > "$program_path/ephemeral_component.py"
_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main \
  --component_module_path "$program_path/ephemeral_component.py" "$@"
"""


def step(body: str, after: list[str] | None = None, **options: Any) -> dict[str, Any]:
    """A step whose function runs `body` (statements); `options` are fields of the IR's task."""
    return {"body": body, "after": after or [], "packages": options.pop("packages", []), **options}


def pipeline(steps: dict[str, dict[str, Any]], name: str = "test", cache: bool = False) -> Any:
    """A pipeline spec of these steps."""
    tasks, components, executors = {}, {}, {}
    for key, one in steps.items():
        options = {k: v for k, v in one.items() if k not in ("body", "after", "packages")}
        lines = "\n".join("    " + line for line in one["body"].splitlines())
        source = f"\nimport kfp\nfrom kfp import dsl\n\ndef work():\n{lines}\n"
        tasks[key] = {
            "cachingOptions": {"enableCache": True} if cache else {},
            "componentRef": {"name": f"comp-{key}"},
            "taskInfo": {"name": key},
            **({"dependentTasks": one["after"]} if one["after"] else {}),
            **options,
        }
        components[f"comp-{key}"] = {"executorLabel": f"exec-{key}"}
        install = []
        if one["packages"]:
            words = " ".join(f"'{package}'" for package in one["packages"])
            install = ["sh", "-c", f'\npython3 -m pip install {words} && "$0" "$@"\n']
        executors[f"exec-{key}"] = {
            "container": {
                "image": "python:3.11",
                "command": [*install, "sh", "-ec", _SCRIPT, source],
                "args": ["--executor_input", "{{$}}", "--function_to_execute", "work"],
            }
        }
    spec = {
        "pipelineInfo": {"name": name},
        "root": {"dag": {"tasks": tasks}},
        "components": components,
        "deploymentSpec": {"executors": executors},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
    }
    return json.loads(json.dumps(spec))
