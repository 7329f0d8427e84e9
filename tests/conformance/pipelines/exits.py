"""Exit handlers, failures that are ignored, and retries."""

from kfp import dsl

from .components import component, fail, say


@component
def tell(status: dsl.PipelineTaskFinalStatus, word: str = "") -> dict:
    return {
        "word": word,
        "state": status.state,
        "task": status.pipeline_task_name,
        "job": status.pipeline_job_resource_name,
        "code": status.error_code,
        "message": status.error_message,
    }


@component
def wait(seconds: float) -> str:
    import time

    time.sleep(seconds)
    return "waited"


@dsl.pipeline
def handled(fails: bool = False, word: str = "bye") -> None:
    with dsl.ExitHandler(tell(word=word), name="guarded"):
        first = say(text="first")
        with dsl.If(fails == True):
            fail(message="deep inside").after(first)
        say(text="independent").after(first)


@dsl.pipeline
def side_by_side() -> None:
    with dsl.ExitHandler(tell(word="one")):
        say(text="fine")
    with dsl.ExitHandler(tell(word="two")):
        fail(message="second breaks")
    say(text="outside")


@dsl.pipeline
def guarded(text: str) -> None:
    with dsl.ExitHandler(tell(word=text)):
        fail(message=text)


@dsl.pipeline
def nested() -> None:
    with dsl.ExitHandler(tell(word="outer")):
        inner = guarded(text="inner")
        say(text="never").after(inner)


@dsl.pipeline
def farewell(word: str) -> None:
    say(text=say(text=word).output)


@dsl.pipeline
def pipeline_as_exit_task() -> None:
    with dsl.ExitHandler(farewell(word="bye")):
        fail()


@dsl.pipeline
def exit_task_fails() -> None:
    with dsl.ExitHandler(fail(message="the exit task broke")):
        say(text="fine")


@dsl.pipeline
def stopped(seconds: float = 60.0) -> None:
    with dsl.ExitHandler(tell(word="bye")):
        wait(seconds=seconds)


@component
def defaulted(text: str = "default", number: int = 7) -> str:
    return f"{text} {number}"


@dsl.pipeline
def ignored() -> None:
    defaulted(text=fail().output, number=7).ignore_upstream_failure()
    tell(word="told").after(fail()).ignore_upstream_failure()
    kept = say(text="kept")
    defaulted(text=kept.output, number=3).ignore_upstream_failure()
    say(text="never").after(fail())


@component
def flaky(folder: str, name: str, successes_after: int) -> int:
    import os

    path = os.path.join(folder, name)
    with open(path, "a") as file:
        file.write("x")
    tries = os.path.getsize(path)
    print("try number", tries)
    assert tries > successes_after, f"try {tries} of {name} fails"
    return tries


@dsl.pipeline
def retried(folder: str) -> None:
    once = flaky(folder=folder, name="once", successes_after=1)
    once.set_retry(num_retries=3, backoff_duration="0s", backoff_factor=1.0)
    with dsl.ExitHandler(tell(word="exhausted")):
        never = flaky(folder=folder, name="never", successes_after=9)
        never.set_retry(num_retries=2, backoff_duration="0s")
    with dsl.ExitHandler(tell(word="recovered")):
        flaky(folder=folder, name="late", successes_after=2).set_retry(
            num_retries=2, backoff_duration="0s"
        )


@component
def slow_failure() -> None:
    import time

    time.sleep(0.7)
    raise ValueError("too slow")


@dsl.pipeline
def retried_too_late() -> None:
    """The second failure comes after the time in which it may be tried again."""
    task = slow_failure()
    task.set_retry(num_retries=5, backoff_duration="0s", backoff_max_duration="1s")
    other = slow_failure()
    other.set_retry(num_retries=5, backoff_duration="2s", backoff_max_duration="1s")
