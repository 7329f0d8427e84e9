"""A condition, a loop, an exit handler and a retry in one small pipeline.

Compile it with ``python examples/pipelines/control_flow.py``.
"""

from pathlib import Path
from typing import List

from kfp import compiler, dsl

IMAGE = "python:3.12"


@dsl.component(base_image=IMAGE)
def draw(seed: int) -> int:
    """Draws a number from 1 to 6."""
    import random

    return random.Random(seed).randint(1, 6)


@dsl.component(base_image=IMAGE)
def square(number: int) -> int:
    """Squares a number."""
    return number * number


@dsl.component(base_image=IMAGE)
def total(numbers: List[int]) -> int:
    """Adds numbers."""
    return sum(numbers)


@dsl.component(base_image=IMAGE)
def say(text: str):
    """Prints a text."""
    print(text)


@dsl.component(base_image=IMAGE)
def flaky(marker: str):
    """Fails the first time, succeeds the second."""
    import os
    import tempfile

    path = os.path.join(tempfile.gettempdir(), f"flaky-{marker}")
    if not os.path.exists(path):
        open(path, "w").close()
        raise RuntimeError("The first try fails on purpose: the retry will succeed.")
    os.remove(path)
    print("The second try succeeded.")


@dsl.component(base_image=IMAGE)
def conclude(status: dsl.PipelineTaskFinalStatus):
    """Says how the run ended, whatever happened."""
    print(f"{status.pipeline_job_resource_name} ended: {status.state}")


@dsl.pipeline(name="control-flow", description="Condition, loop, exit handler and retry.")
def control_flow(seed: int = 7, numbers: List[int] = [1, 2, 3]):
    """Sums the squares of `numbers`; branches on a drawn number; always concludes."""
    concluded = conclude().set_display_name("Conclude")
    with dsl.ExitHandler(concluded, name="Work"):
        drawn = draw(seed=seed)
        with dsl.If(drawn.output > 3, name="High"):
            say(text="The number is high.")
        with dsl.Else(name="Low"):
            say(text="The number is low.")
        with dsl.ParallelFor(numbers, parallelism=2, name="Each number") as number:
            squared = square(number=number)
        total(numbers=dsl.Collected(squared.output))
        flaky(marker=dsl.PIPELINE_JOB_ID_PLACEHOLDER).set_caching_options(False).set_retry(
            num_retries=2, backoff_duration="1s"
        )


if __name__ == "__main__":
    compiler.Compiler().compile(control_flow, str(Path(__file__).with_suffix(".yaml")))
