"""A pipeline whose second step fails: see where the reason, the log and the retry are.

Compile it with ``python examples/pipelines/failing.py``.
"""

from pathlib import Path

from kfp import compiler, dsl

IMAGE = "python:3.12"


@dsl.component(base_image=IMAGE)
def prepare() -> int:
    """Returns a divisor that the next step cannot use."""
    return 0


@dsl.component(base_image=IMAGE)
def divide(numerator: int, divisor: int) -> float:
    """Divides; fails on a divisor of 0."""
    print(f"Dividing {numerator} by {divisor} …")
    return numerator / divisor


@dsl.component(base_image=IMAGE)
def publish(result: float):
    """Never runs: the step before it fails."""
    print(result)


@dsl.pipeline(name="failing", description="Its second step divides by zero.")
def failing(numerator: int = 1):
    """prepare → divide (fails) → publish (never starts)."""
    divided = divide(numerator=numerator, divisor=prepare().output)
    publish(result=divided.output)


if __name__ == "__main__":
    compiler.Compiler().compile(failing, str(Path(__file__).with_suffix(".yaml")))
