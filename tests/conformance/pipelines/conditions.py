"""If, Elif, Else and OneOf; conditions over every type and operator."""

from typing import NamedTuple, Optional

from kfp import dsl

from .components import fail, mark, read, say, write


@dsl.pipeline
def coin(side: str) -> NamedTuple("Chosen", word=str, data=dsl.Dataset):
    flipped = say(text=side)
    with dsl.If(flipped.output == "heads"):
        heads = say(text="it is heads")
        heads_data = write(text="head's data")
    with dsl.Elif(flipped.output == "tails"):
        tails = say(text="it is tails")
        tails_data = write(text="tail's data")
    with dsl.Else():
        edge = say(text="it stands")
        edge_data = write(text="the edge's data")
    word = dsl.OneOf(heads.output, tails.output, edge.output)
    data = dsl.OneOf(heads_data.outputs["out"], tails_data.outputs["out"], edge_data.outputs["out"])
    chosen = NamedTuple("Chosen", word=str, data=dsl.Dataset)
    return chosen(word=word, data=data)


@dsl.pipeline
def coins() -> str:
    for side in ("heads", "tails", "edge"):
        tossed = coin(side=side).set_display_name(side)
        say(text=tossed.outputs["word"])
        read(data=tossed.outputs["data"])
    return say(text="over").output


@dsl.pipeline
def nested(outer: bool = True, inner: int = 2) -> None:
    with dsl.If(outer == True):
        with dsl.If(inner > 1):
            deep = say(text="deep")
            with dsl.If(deep.output == "deep"):
                say(text="deeper")
            with dsl.Else():
                mark()
        with dsl.Else():
            say(text="shallow")
    with dsl.Else():
        with dsl.If(inner > 1):
            mark()
    with dsl.If(outer == False):
        other = say(text="inside")
        with dsl.If(other.output == "inside"):
            mark()


def _when(condition: object, name: str) -> None:
    with dsl.If(condition):
        mark().set_display_name(name)


@dsl.pipeline
def comparisons(
    text: str = "it's heads",
    code: str = "' || true || '",
    evil: str = "__import__('os').abort()",
    empty: str = "",
    placeholder: str = "{{$.pipeline_job_name}}",
    number: str = "10",
    small: int = 3,
    big: int = 9_007_199_254_740_991,
    less: int = -3,
    real: float = 2.5,
    whole: float = 3.0,
    yes: bool = True,
    no: bool = False,
) -> None:
    """A mark named `yes:` must run, one named `no:` must be skipped."""
    said = say(text=text)
    _when(said.output == text, "yes: text == text of a task")
    _when(text == "it's heads", "yes: a quote in the author's own text")
    _when(text != "heads", "yes: it's heads != heads")
    _when(text == "heads", "no: it's heads == heads")
    _when(code == "x", "no: code == x")
    _when(code != "x", "yes: code != x")
    _when(evil == say(text=evil).output, "yes: evil == evil")
    _when(evil == code, "no: evil == code")
    _when(placeholder == "{{$.pipeline_job_name}}", "yes: a placeholder in data is data")
    _when(empty == "", "yes: empty == ''")
    _when(empty != "", "no: empty != ''")
    _when("a" < text, "yes: a < it's")
    _when(text >= "j", "no: it's >= j")
    _when(number < "9", "yes: '10' < '9' as texts")
    _when(small == 3, "yes: 3 == 3")
    _when(small != 3, "no: 3 != 3")
    _when(small > 2.5, "yes: 3 > 2.5")
    _when(small < 2.5, "no: 3 < 2.5")
    _when(small >= 3, "yes: 3 >= 3")
    _when(small <= 2, "no: 3 <= 2")
    _when(small == whole, "yes: 3 == 3.0")
    _when(less < 0, "yes: -3 < 0")
    _when(less > small, "no: -3 > 3")
    _when(big == 9_007_199_254_740_991, "yes: the biggest whole double")
    _when(big > 9_007_199_254_740_990, "yes: bigger than the one before")
    _when(real == 2.5, "yes: 2.5 == 2.5")
    _when(real > 2, "yes: 2.5 > 2")
    _when(real <= 2.4999, "no: 2.5 <= 2.4999")
    _when(whole == 3.0, "yes: 3.0 == 3.0")
    _when(yes == True, "yes: True == True")
    _when(no == True, "no: False == True")
    _when(no != yes, "yes: False != True")
    _when(number == 10, "yes: '10' == 10 as texts")


@dsl.pipeline
def errors(maybe: Optional[int] = None, word: Optional[str] = None, text: str = "x") -> None:
    with dsl.If(maybe == 3):
        mark().set_display_name("inside")
    with dsl.If(text == "x"):
        say(text="the rest goes on")
    with dsl.If(word == "x"):
        mark()


@dsl.pipeline
def broken(text: str = "x") -> None:
    """The test puts other conditions here."""
    with dsl.If(text == "x"):
        mark()
    say(text="independent")


@dsl.pipeline
def beside_a_failure(side: str = "tails") -> None:
    with dsl.If(side == "heads"):
        say(text=say(text="never").output)
    with dsl.If(side == "tails"):
        broke = fail()
        say(text="never").after(broke)
        say(text="independent")
