"""What Kubeflow's compiled pipelines are given here, and which are refused or do not succeed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

#: Parameters by a file's name, beside its defaults and what its types ask for.
INPUTS: dict[str, dict[str, Any]] = {
    "env-var": {"env_var": "HOME"},
    "local_execution_pipeline_with_ignore_upstream_failure": {"marker_path": "FOLDER/marker"},
    "local_execution_pipeline_with_retry": {"counter_path": "FOLDER/counter"},
    "take_nap_compiled": {"naptime_secs": 2},
    "take_nap_pipeline_root_compiled": {"naptime_secs": 2},
    "upload_download_compiled": {
        "bucket_name": "mlpipeline",
        # A MinIO at 127.0.0.1:9, each value in base64 as in the cluster's secret.
        "mlpipeline_minio_artifact_secret": json.dumps(
            {
                "host": "MTI3LjAuMC4x",
                "port": "OQ==",
                "accesskey": "YQ==",
                "secretkey": "Yg==",
                "secure": "ZmFsc2U=",
            }
        ),
    },
}

#: The secrets that Kubeflow's own tests make on their cluster.
SECRETS: dict[str, Any] = {
    "test-secret-1": {"keys": {"username": {"value": "user1"}}},
    "test-secret-2": {"keys": {"password": {"value": "psw1"}}},
    "test-secret-3": {"keys": {"password": {"value": "psw2"}}},
}


@dataclass(frozen=True)
class End:
    """How a run ends that does not succeed: a pattern of its reason, and why a cluster agrees."""

    cause: str
    why: str
    elsewhere: bool = False  # it succeeds where it finds what it asks for outside of the pipeline


_MEANT = "a task fails by design, and its run with it"
_ARTIFACT = "an artifact as the pipeline's own input, which no run can be given"

#: By a file's name; every other run succeeds.
ENDS: dict[str, End] = {
    "fail_v2": End("exit code 1", _MEANT),
    "pipeline_with_exit_handler": End("exit code 1", _MEANT),
    "pipeline_with_multiple_exit_handlers": End("exit code 1", _MEANT),
    "pipeline_as_exit_task": End("exit code 1", _MEANT),
    "pipeline_with_task_final_status": End("exit code 1", _MEANT),
    "pipeline_with_task_using_ignore_upstream_failure": End("exit code 1", _MEANT),
    "local_execution_pipeline_with_ignore_upstream_failure": End("failed intentionally", _MEANT),
    "component_with_metadata_fields": End("`dataset_a` was not given", _ARTIFACT),
    "input_artifact": End("`data` was not given", _ARTIFACT),
    "pipeline_with_metadata_fields": End("`dataset_b` was not given", _ARTIFACT),
    "component_with_task_final_status_GH-12033": End(
        "'NoneType' object has no attribute 'get'",
        "a final status outside of an exit task: kubeflow/pipelines#12033, which its tests skip",
    ),
    "pipeline_with_artifact_upload_download": End(
        "Hugging Face Hub|[Cc]onnection",
        "it downloads from the Hugging Face Hub",
        elsewhere=True,
    ),
    "create_pod_metadata_complex": End(
        "Pod annotation is None",
        "its last task wants a variable to be empty that is not set at all",
    ),
    "ray_integration_compiled": End(
        "[Aa]ction not permitted|[Cc]onnection|config",
        "it makes a Ray cluster in the Kubernetes cluster that it runs on",
        elsewhere=True,
    ),
    "upload_download_compiled": End(
        "[Cc]onnection|Max retries|MaxRetryError",
        "it looks for its artifact in the cluster's own MinIO",
        elsewhere=True,
    ),
}

_CONTAINER = "needs a container of the image"
_STORE = "imports `(gs|oci)://.*`, which is not on this machine"

#: Files that no run is made of, by name: a pattern of what is said instead.
REFUSED: dict[str, str] = {
    **dict.fromkeys(
        [
            "arguments_parameters",
            "artifacts_simple",
            "components_with_optional_artifacts",
            "container_component_with_no_inputs",
            "container_io",
            "container_no_input",
            "container_with_artifact_output",
            "container_with_concat_placeholder",
            "container_with_if_placeholder",
            "container_with_placeholder_in_fstring",
            "containerized_python_component",
            "fast_artifact",
            "hello_world",
            "long-running",
            "mounted_cabundle_configmap",
            "mounted_cabundle_secret",
            "nvidia_gpu_scheduling_check",
            "parameters_simple",
            "pipeline_in_pipeline",
            "pipeline_in_pipeline_complex",
            "pipeline_in_pipeline_loaded_from_yaml",
            "pipeline_with_after",
            "pipeline_with_concat_placeholder",
            "pipeline_with_condition_dynamic_task_output_custom_training_job",
            "pipeline_with_dynamic_task_output_custom_training_job",
            "pipeline_with_env",
            "pipeline_with_importer_and_gcpc_types",
            "pipeline_with_nested_conditions_yaml",
            "pipeline_with_only_display_name",
            "pipeline_with_outputs",
            "pipeline_with_task_final_status_yaml",
            "pipeline_with_various_io_types",
            "placeholder_with_if_placeholder_none_input_value",
            "producer_consumer_param_pipeline",
            "run_as_user_cache_disabled",
            "run_as_user_cache_enabled",
            "sequential_v1",
            "sequential_v2",
            "two_step_pipeline",
            "two_step_pipeline_containerized",
            "xgboost_sample_pipeline",
        ],
        _CONTAINER,
    ),
    **dict.fromkeys(
        [
            "modelcar",
            "pipeline_with_google_artifact_type",
            "pipeline_with_importer",
            "pythonic_artifact_with_single_return",
        ],
        _STORE,
    ),
    "empty_file": "has no `root`",
    "invalid_yaml": "Its component `comp-echo` does not exist",
    "no_name": "The pipeline has no name",
    "pvc_mount": "mounts the volume .* which is not mapped",
}
