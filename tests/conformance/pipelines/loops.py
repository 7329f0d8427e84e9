"""ParallelFor over everything that it may go over, and Collected."""

from typing import Dict, List

from kfp import dsl

from .components import component, double, items_of, kind_of, read, read_all, say, write

ROWS = [
    {"label": "x", "all": ["a", "b"], "size": 1},
    {"label": "y", "all": ["c"], "size": 2},
]


@dsl.pipeline
def raw() -> None:
    with dsl.ParallelFor([3, 1, 2]) as number:
        made = double(number=number)
        kind_of(value=number)
    items_of(items=dsl.Collected(made.output))
    with dsl.ParallelFor(["it's", "ünïcödé", '{"a": 1}', "[1]", "7"]) as text:
        say(text=text)
    with dsl.ParallelFor([{"a": 1, "b": 10}, {"a": 2, "b": 20}]) as item:
        double(number=item.b)


@dsl.pipeline
def given(numbers: List[int] = [5], rows: List[Dict[str, str]] = ROWS) -> List[int]:
    with dsl.ParallelFor(numbers) as number:
        made = double(number=double(number=number).output)
    with dsl.ParallelFor(rows) as row:
        say(text=row.label)
        with dsl.ParallelFor(row.all) as part:
            joined = say(text=part)
            say(text=row.label).after(joined)
    return dsl.Collected(made.output)


@component
def pair(a: str, b: int, out: dsl.Output[dsl.Dataset]) -> str:
    import pathlib

    pathlib.Path(out.path).write_text(f"{a}{b}")
    return f"{a}{b}"


@dsl.pipeline
def nested() -> None:
    with dsl.ParallelFor(["a", "b"]) as outer:
        with dsl.ParallelFor([1, 2]) as inner:
            made = pair(a=outer, b=inner)
        read_all(data=dsl.Collected(made.outputs["out"]))
        items_of(items=dsl.Collected(made.outputs["Output"]))
    read_all(data=dsl.Collected(made.outputs["out"]))
    items_of(items=dsl.Collected(made.outputs["Output"]))


@dsl.pipeline
def empty(numbers: List[int] = []) -> None:
    with dsl.ParallelFor(numbers) as number:
        made = double(number=number)
        data = write(text="never")
    items_of(items=dsl.Collected(made.output))
    read_all(data=dsl.Collected(data.outputs["out"]))


@component
def moment() -> List[float]:
    import time

    begin = time.time()
    time.sleep(0.2)
    return [begin, time.time()]


@dsl.pipeline
def limited() -> None:
    with dsl.ParallelFor([1, 2, 3, 4, 5], parallelism=2):
        moment()


@component
def read_with_metadata(data: dsl.Input[dsl.Dataset]) -> str:
    import pathlib

    return pathlib.Path(data.path).read_text() + f" {data.metadata['length']}"


@dsl.pipeline
def writer() -> List[dsl.Dataset]:
    with dsl.ParallelFor(["a", "bb", "ccc"]) as text:
        made = write(text=text)
    return dsl.Collected(made.outputs["out"])


@dsl.pipeline
def over_artifacts() -> None:
    with dsl.ParallelFor(writer().output) as one:
        told = read_with_metadata(data=one)
    items_of(items=dsl.Collected(told.output))


@dsl.pipeline
def conditional() -> None:
    with dsl.ParallelFor([1, 2, 3, 4]) as number:
        with dsl.If(number > 2):
            double(number=number)
        with dsl.Else():
            say(text="small")


@component
def fail_on(number: int, bad: int) -> int:
    assert number != bad, f"{number} is bad"
    return number


@dsl.pipeline
def failing() -> None:
    with dsl.ParallelFor([1, 2, 3]) as number:
        made = fail_on(number=number, bad=2)
        double(number=made.output)
    items_of(items=dsl.Collected(made.output))
    say(text="independent")


@dsl.pipeline
def misfit(numbers: List[int] = [1]) -> None:
    with dsl.ParallelFor(numbers) as number:
        double(number=number)


@dsl.pipeline
def body(tag: str) -> str:
    with dsl.ParallelFor([1, 2]) as number:
        made = pair(a=tag, b=number)
    return items_of(items=dsl.Collected(made.outputs["Output"])).output


@dsl.pipeline
def loops_of_pipelines() -> None:
    with dsl.ParallelFor(["p", "q"]) as tag:
        told = body(tag=tag)
    items_of(items=dsl.Collected(told.output))
    one = write(text="one")
    with dsl.ParallelFor([0, 1]):
        read(data=one.outputs["out"])
