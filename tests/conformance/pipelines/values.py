"""Parameters of every type, on every way in and out."""

from typing import Dict, List, NamedTuple

from kfp import dsl

from .components import component, items_of, kind_of, say, show

ODD = {"a b": 1, "k.e'y\"": [1, 2.5, {}], "ключ": {"": True}, "{{$.x}}": "{{$.pipeline_job_name}}"}


@component
def look(i: int, f: float, b: bool, s: str, items: list, d: dict) -> str:
    return repr([i, f, b, s, items, d])


@component
def give(i: int, f: float, b: bool, s: str, items: list, d: dict) -> NamedTuple(
    "All", i=int, f=float, b=bool, s=str, items=list, d=dict
):
    outputs = NamedTuple("All", i=int, f=float, b=bool, s=str, items=list, d=dict)
    return outputs(i=i, f=f, b=b, s=s, items=items, d=d)


@dsl.pipeline
def types(
    i: int = 3,
    f: float = 2.0,
    b: bool = True,
    s: str = "3",
    items: list = [1, 2.5, "x", True, [1.0], []],
    d: dict = {"k": 1, "x": 1.5},
) -> str:
    """`look` as it comes, as constants, and through tasks' outputs."""
    constants = look(i=3, f=2.0, b=False, s="3", items=[1, 2.5, "x"], d={"k": 1})
    again = give(i=i, f=f, b=b, s=s, items=items, d=d)
    look(**{key: again.outputs[key] for key in ("i", "f", "b", "s", "items", "d")})
    return look(i=i, f=f, b=b, s=s, items=items, d=d).after(constants).output


@component
def same(d: dict) -> Dict[str, int]:
    return d


@component
def text_of(d: dict) -> str:
    import json

    return json.dumps(d, sort_keys=True)


@dsl.pipeline
def odd(d: dict = ODD, text: str = "plain") -> None:
    text_of(d=same(d=d).output)
    show(text=say(text=text).output)
    show(text="")
    say(text=f"<{text}>")


@component
def repeat(word: str, times: int) -> List[str]:
    return [word] * times


@component
def count(words: list, text: str) -> str:
    return f"{len(words)} {len(text)}"


@dsl.pipeline
def big(text: str, times: int = 200_000) -> None:
    made = repeat(word="word", times=times)
    count(words=made.output, text=text)


@dsl.pipeline
def texts(
    i: int = 21,
    f: float = 0.1,
    whole: float = 3.0,
    b: bool = True,
    d: dict = {"b": "<&>", "a": [1, 1e-9, 0.00001]},
) -> None:
    """What becomes a text on its way."""
    say(text=f"{i} {f} {whole} {b}")
    say(text=f"{d}")


@component
def whole_floats() -> NamedTuple("Out", f=float, big=int, tiny=float, items=List[float]):
    outputs = NamedTuple("Out", f=float, big=int, tiny=float, items=List[float])
    return outputs(f=4.0, big=2**53, tiny=1e-9, items=[1.0, 2.5])


@component
def kinds(f: float, big: int, tiny: float, items: list) -> str:
    return repr([f, big, tiny, items])


@dsl.pipeline
def numbers() -> None:
    made = whole_floats()
    kinds(**{key: made.outputs[key] for key in ("f", "big", "tiny", "items")})


@component
def files(
    number: dsl.OutputPath(int),
    real: dsl.OutputPath(float),
    flag: dsl.OutputPath(bool),
    items: dsl.OutputPath(list),
    table: dsl.OutputPath(dict),
    text: dsl.OutputPath(str),
):
    written = {number: "7", real: "2.50", flag: "True", items: "[1, 2]", table: '{"a": 1}'}
    for path, content in {**written, text: " as it is \n"}.items():
        with open(path, "w") as file:
            file.write(content)


@component
def both_ways(path: dsl.OutputPath(str)) -> str:
    with open(path, "w") as file:
        file.write("from the file")
    return "returned"


@dsl.pipeline
def paths() -> None:
    made = files()
    kind_of(value=made.outputs["number"])
    items_of(items=made.outputs["items"])
    show(text=made.outputs["text"])
    both = both_ways()
    say(text=both.outputs["Output"])
    say(text=both.outputs["path"])


@component
def gives_nothing(out: dsl.OutputPath(str)):
    pass


@component
def not_a_number() -> float:
    return float("nan")


@component
def wrong_kind(out: dsl.OutputPath(int)):
    with open(out, "w") as file:
        file.write("seven")


@component
def of_another_type() -> int:
    return "seven"


@dsl.pipeline
def misfits() -> None:
    gives_nothing()
    not_a_number()
    wrong_kind()
    of_another_type()


@component
def struct() -> dict:
    return {"inner": {"list": [10, 20], "text": "deep"}, "n": 3}


@component
def any_of(text: str, number: int) -> str:
    return f"{text} {number}"


@dsl.pipeline
def selectors(table: dict = {"inner": {"list": [10, 20], "text": "deep"}, "n": 3}) -> None:
    """The test adds expression selectors, which the SDK writes only for the items of loops."""
    struct()
    any_of(text="replaced", number=0)
