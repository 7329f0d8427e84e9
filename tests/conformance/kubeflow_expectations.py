"""What Kubeflow's compiled pipelines are given here, and how those end that do not succeed."""

from __future__ import annotations

from typing import Any

#: Parameters by a file's name, beside its defaults and what its types ask for.
INPUTS: dict[str, dict[str, Any]] = {
    "env-var": {"env_var": "HOME"},
    "local_execution_pipeline_with_ignore_upstream_failure": {"marker_path": "FOLDER/marker"},
    "local_execution_pipeline_with_retry": {"counter_path": "FOLDER/counter"},
    "take_nap_compiled": {"naptime_secs": 2},
    "take_nap_pipeline_root_compiled": {"naptime_secs": 2},
}

#: State, a pattern of the reason, and why a cluster would end it so.
ENDS: dict[str, tuple[str, str, str]] = {}
