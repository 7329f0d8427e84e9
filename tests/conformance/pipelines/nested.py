"""Pipelines inside pipelines: outputs of each kind, reused components, optional inputs."""

from typing import List, NamedTuple, Optional

from kfp import dsl

from .components import component, double, kind_of, read, read_all, say, write


@dsl.pipeline
def third(n: int, text: str) -> NamedTuple("Third", number=int, data=dsl.Dataset):
    made = write(text=text)
    outputs = NamedTuple("Third", number=int, data=dsl.Dataset)
    return outputs(number=double(number=n).output, data=made.outputs["out"])


@dsl.pipeline
def second(n: int, text: str) -> NamedTuple(
    "Second", number=int, data=dsl.Dataset, texts=List[str]
):
    inner = third(n=n, text=text)
    again = third(n=inner.outputs["number"], text="again")
    read(data=again.outputs["data"])
    with dsl.ParallelFor(["a", "b"]) as letter:
        said = say(text=letter)
    outputs = NamedTuple("Second", number=int, data=dsl.Dataset, texts=List[str])
    return outputs(
        number=again.outputs["number"],
        data=inner.outputs["data"],
        texts=dsl.Collected(said.output),
    )


@component
def join(items: List[str]) -> str:
    return "+".join(items)


@dsl.pipeline
def outermost(n: int = 3) -> NamedTuple("All", number=int, data=dsl.Dataset):
    first = second(n=n, text="one").set_display_name("The first")
    other = second(n=n, text="two")
    kind_of(value=first.outputs["number"])
    read(data=first.outputs["data"])
    read(data=other.outputs["data"])
    join(items=other.outputs["texts"])
    outputs = NamedTuple("All", number=int, data=dsl.Dataset)
    return outputs(number=first.outputs["number"], data=other.outputs["data"])


@component
def show(
    text: Optional[str] = None,
    number: int = 7,
    flag: Optional[bool] = None,
    items: Optional[list] = None,
    table: Optional[dict] = None,
    ratio: Optional[float] = None,
) -> str:
    return repr([text, number, flag, items, table, ratio])


@component
def peek(data: Optional[dsl.Input[dsl.Dataset]] = None) -> str:
    import pathlib

    return "nothing" if data is None else pathlib.Path(data.path).read_text()


@dsl.pipeline
def optional_inside(
    text: Optional[str] = None,
    number: int = 5,
    flag: Optional[bool] = None,
    items: Optional[list] = None,
    data: Optional[dsl.Input[dsl.Dataset]] = None,
) -> str:
    peek(data=data)
    return show(text=text, number=number, flag=flag, items=items).output


@dsl.pipeline
def optional(
    text: Optional[str] = None,
    number: Optional[int] = None,
    flag: Optional[bool] = None,
    items: Optional[list] = None,
    table: Optional[dict] = None,
    ratio: Optional[float] = None,
) -> None:
    show()
    show(text=text, flag=flag, items=items, table=table, ratio=ratio)
    optional_inside()
    optional_inside(text=text, flag=flag, items=items)
    optional_inside(text="", flag=False, items=[], data=write(text="there").outputs["out"])


@dsl.pipeline
def list_of_artifacts() -> List[dsl.Dataset]:
    with dsl.ParallelFor(["x", "y"]) as item:
        made = write(text=item)
    return dsl.Collected(made.outputs["out"])


@dsl.pipeline
def reader_of_lists(data: dsl.Input[List[dsl.Dataset]]) -> str:
    return read_all(data=data).output


@dsl.pipeline
def artifact_lists() -> None:
    made = list_of_artifacts()
    read_all(data=made.output)
    reader_of_lists(data=made.output)


@dsl.pipeline
def collisions() -> None:
    """Names that differ only where a file's or a task's name is made of them."""
    first = say(text="a").set_display_name("same name")
    second_one = say(text="b").set_display_name("same name")
    third_one = say(text="c")
    say(text=f"{first.output}{second_one.output}{third_one.output}").after(third_one)
    with dsl.ParallelFor([1, 2]) as n:
        say(text="in a loop").after(double(number=n))
    say(text="last")
