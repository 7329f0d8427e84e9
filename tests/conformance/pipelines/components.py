"""Small components that the suite's pipelines are made of."""

from functools import partial

from kfp import dsl

component = partial(dsl.component, base_image="python:3.11")


@component
def mark() -> None:
    """Shows by its state whether it was let run."""


@component
def say(text: str) -> str:
    return text


@component
def show(text: str) -> str:
    return repr(text)


@component
def kind_of(value: int) -> str:
    return f"{type(value).__name__} {value}"


@component
def double(number: int) -> int:
    return number * 2


@component
def items_of(items: list) -> str:
    return repr(items)


@component
def fail(message: str = "it broke") -> str:
    raise ValueError(message)


@component
def write(text: str, out: dsl.Output[dsl.Dataset]) -> None:
    out.metadata["length"] = len(text)
    with open(out.path, "w") as file:
        file.write(text)


@component
def read(data: dsl.Input[dsl.Dataset]) -> str:
    with open(data.path) as file:
        return file.read()


@component
def read_all(data: dsl.Input[list[dsl.Dataset]]) -> str:
    import pathlib

    # The SDK's executor gives a function nothing for an empty list of artifacts.
    return " ".join(pathlib.Path(one.path).read_text() for one in data or [])
