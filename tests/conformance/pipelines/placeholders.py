"""Every placeholder, the environment, the workspace, and deadlines."""

from kfp import dsl

from .components import component, say

ALL = {
    "name": dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
    "resource": dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
    "id": dsl.PIPELINE_JOB_ID_PLACEHOLDER,
    "task": dsl.PIPELINE_TASK_NAME_PLACEHOLDER,
    "uuid": dsl.PIPELINE_TASK_ID_PLACEHOLDER,
    "created": dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
    "scheduled": dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER,
    "root": dsl.PIPELINE_ROOT_PLACEHOLDER,
}


@component
def echo(values: dict, text: str) -> dict:
    return {**values, "text": text}


@component
def trap() -> str:
    return "{{$.inputs.parameters['secret']}} {{$.pipeline_job_name}} {{$}}"


@component
def with_secret(text: str, secret: str) -> str:
    return text


@dsl.pipeline
def names() -> None:
    echo(
        values=ALL, text=f"{dsl.PIPELINE_JOB_NAME_PLACEHOLDER}/{dsl.PIPELINE_TASK_NAME_PLACEHOLDER}"
    )
    with_secret(text=f"<{trap().output}>", secret="hidden")


@component
def look(names: list) -> dict:
    import os

    return {name: os.environ.get(name) for name in names}


@dsl.pipeline
def variables(value: str = "given") -> None:
    task = look(names=["PLAIN", "FROM_ANOTHER", "ESCAPED", "MISSING", "EMPTY", "ODD"])
    task.set_env_variable("PLAIN", "plain")
    task.set_env_variable("FROM_ANOTHER", "<$(PLAIN)>")
    task.set_env_variable("ESCAPED", "$$(PLAIN)")
    task.set_env_variable("EMPTY", "")
    task.set_env_variable("ODD", "a=b 'c' \"d\" é")


@component
def leave(folder: str) -> None:
    with open(folder + "/note.txt", "w") as file:
        file.write("left")


@component
def find(path: str) -> str:
    import os

    if not os.path.exists(path):
        return "nothing"
    with open(path) as file:
        return file.read()


@dsl.pipeline(pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size="1Gi")))
def workspace() -> None:
    before = find(path=f"{dsl.WORKSPACE_PATH_PLACEHOLDER}/note.txt")
    left = leave(folder=dsl.WORKSPACE_PATH_PLACEHOLDER).after(before)
    find(path=f"{dsl.WORKSPACE_PATH_PLACEHOLDER}/note.txt").after(left)


@component
def sleep(seconds: float) -> str:
    import time

    time.sleep(seconds)
    return "slept"


@dsl.pipeline(pipeline_config=dsl.PipelineConfig(active_deadline_seconds=1))
def deadline() -> None:
    say(text=sleep(seconds=60.0).output)
    say(text="quick")
