"""Tasks that may come from the cache, and those that may not."""

from typing import NamedTuple

from kfp import dsl

from .components import component, read


@component
def stamp(text: str, number: int, out: dsl.Output[dsl.Dataset]) -> NamedTuple(
    "Stamp", at=float, items=list
):
    import time

    with open(out.path, "w") as file:
        file.write(f"{text} {number}")
    out.metadata["number"] = number
    return NamedTuple("Stamp", at=float, items=list)(time.time(), [text, number])


@component
def stamp_again(text: str) -> float:
    import time

    return time.time()


@dsl.pipeline
def cached(text: str = "<é> & 'x'", number: int = 3, free: str = "a") -> None:
    made = stamp(text=text, number=number)
    read(data=made.outputs["out"])
    stamp(text=text, number=number).set_caching_options(False).set_display_name("not cached")
    keyed = stamp_again(text=free)
    keyed.set_caching_options(True, cache_key="my key")
    stamp_again(text=free)


@component
def one_then_fail(folder: str) -> str:
    import os

    path = os.path.join(folder, "cache-flag")
    if not os.path.exists(path):
        open(path, "w").close()
        raise ValueError("the first time")
    return "the second time"


@dsl.pipeline
def failed_once(folder: str) -> None:
    one_then_fail(folder=folder)


@dsl.pipeline
def imported(uri: str) -> None:
    known = dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset)
    read(data=known.output)
    anew = dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset, reimport=True)
    read(data=anew.output)
