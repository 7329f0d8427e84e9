"""Pipelines of every control flow, written with the SDK and run to the end in this process.

The SDK reads the annotations of component functions, so they must not be postponed here.
"""

# Component functions are users' code, in the forms that users write and the SDK reads:
# ruff: noqa: B006, PTH123, SIM117, UP006, UP014, UP035, UP045

from collections.abc import Callable
from functools import partial
from typing import Any, Dict, List, NamedTuple, Optional

import pytest
from kfp import dsl

component = partial(dsl.component, base_image="python:3.11")


@component
def say(text: str) -> str:
    return text


@component
def kind_of(value: int) -> str:
    return f"{type(value).__name__} {value}"


@component
def double(number: int) -> int:
    return number * 2


@component
def total(numbers: list) -> int:
    return sum(numbers)


@component
def fail(message: str = "it broke") -> str:
    raise ValueError(message)


@component
def count_items(items: list) -> str:
    return f"{len(items)} {items}"


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

    return " ".join(pathlib.Path(one.path).read_text() for one in data)


def test_independent_tasks_are_ready_at_the_same_time(begin: Callable[..., Any]) -> None:
    @dsl.pipeline(name="wide")
    def wide() -> None:
        say(text="a")
        say(text="b")
        say(text="c").after()

    assert [task.task_id for task in begin(wide).scheduler.advance().ready] == [
        "say",
        "say-2",
        "say-3",
    ]


def test_values_keep_their_types(execute: Callable[..., Any]) -> None:
    @component
    def look(i: int, f: float, b: bool, s: str, items: list, d: dict) -> str:
        return repr([i, f, b, s, items, d])

    @dsl.pipeline(name="types")
    def types(
        i: int = 3,
        f: float = 2.0,
        b: bool = True,
        s: str = "3",
        items: list = [1, 2.5, "x"],
        d: dict = {"k": 1},
    ) -> str:
        return look(i=i, f=f, b=b, s=s, items=items, d=d).output

    expected = "[3, 2.0, True, '3', [1, 2.5, 'x'], {'k': 1}]"
    assert execute(types).output("look") == expected
    assert execute(types, i="4", b="false", items="[]").output("look") == (
        "[4, 2.0, False, '3', [], {'k': 1}]"
    )


def test_an_integer_stays_one_on_its_way(execute: Callable[..., Any]) -> None:
    @dsl.pipeline(name="integers")
    def integers(n: int = 21) -> str:
        return kind_of(value=double(number=double(number=n).output).output).output

    assert execute(integers).output("kind-of") == "int 84"


def test_a_number_becomes_text_without_a_decimal_point(execute: Callable[..., Any]) -> None:
    @dsl.pipeline(name="texts")
    def texts(n: int = 21) -> str:
        return say(text=f"n={n}, twice {double(number=n).output}").output

    assert execute(texts).output("say") == "n=21, twice 42"


def test_artifacts_and_metrics_travel_with_their_metadata(execute: Callable[..., Any]) -> None:
    @component
    def measure(data: dsl.Input[dsl.Dataset], metrics: dsl.Output[dsl.Metrics]) -> int:
        metrics.log_metric("accuracy", 0.5)
        return data.metadata["length"]

    @dsl.pipeline(name="artifacts")
    def artifacts() -> None:
        made = write(text="hello")
        read(data=made.outputs["out"])
        measure(data=made.outputs["out"])

    run = execute(artifacts)
    assert run.output("read") == "hello"
    assert run.output("measure") == 5
    (metrics,) = run.stored["measure"].outputs.artifacts["metrics"]
    assert metrics.type == "system.Metrics"
    assert metrics.metadata == {"accuracy": 0.5}
    assert metrics.artifact_id == "measure:metrics"


def test_a_nested_pipeline_gives_its_outputs(execute: Callable[..., Any]) -> None:
    @dsl.pipeline(name="inner")
    def inner(n: int) -> NamedTuple("Both", number=int, data=dsl.Dataset):  # type: ignore[valid-type]
        made = write(text="inside")
        outputs = NamedTuple("Both", number=int, data=dsl.Dataset)
        return outputs(number=double(number=n).output, data=made.outputs["out"])

    @dsl.pipeline(name="outer")
    def outer() -> str:
        part = inner(n=4)
        kind_of(value=part.outputs["number"])
        return read(data=part.outputs["data"]).output

    run = execute(outer)
    assert run.output("kind-of") == "int 8"
    assert run.output("read") == "inside"
    assert run.stored["inner/double"].parent == "inner"


@pytest.mark.parametrize(("coin", "winner"), [("heads", "yes"), ("tails", "no"), ("edge", "what")])
def test_if_elif_else_gives_one_of_its_branches(
    execute: Callable[..., Any], coin: str, winner: str
) -> None:
    @dsl.pipeline(name="branches")
    def branches(coin: str) -> str:
        with dsl.If(coin == "heads"):
            a = say(text="yes")
        with dsl.Elif(coin == "tails"):
            b = say(text="no")
        with dsl.Else():
            c = say(text="what")
        return say(text=dsl.OneOf(a.output, b.output, c.output)).output

    run = execute(branches, coin=coin)
    assert run.output("say-4") == winner
    assert list(run.states().values()).count("SKIPPED") == 4
    assert run.state.value == "SUCCEEDED"


def test_one_of_chooses_among_artifacts(execute: Callable[..., Any]) -> None:
    @dsl.pipeline(name="artifacts")
    def branches(coin: str) -> str:
        with dsl.If(coin == "heads"):
            a = write(text="one")
        with dsl.Else():
            b = write(text="two")
        return read(data=dsl.OneOf(a.outputs["out"], b.outputs["out"])).output

    assert execute(branches, coin="heads").output("read") == "one"
    assert execute(branches, coin="tails").output("read") == "two"


@pytest.mark.parametrize("text", ["it's heads", 'say "hi"', "a && b", "'' == ''", "__import__"])
def test_a_condition_compares_data_that_looks_like_code(
    execute: Callable[..., Any], text: str
) -> None:
    @dsl.pipeline(name="data")
    def data(text: str) -> None:
        with dsl.If(text != "heads"):
            say(text="different")

    assert execute(data, text=text).output("condition-1/say") == "different"


def test_an_apostrophe_in_a_condition_is_part_of_its_text(execute: Callable[..., Any]) -> None:
    @dsl.pipeline(name="quote")
    def quote(text: str) -> None:
        with dsl.If(text == "it's heads"):
            say(text="same")

    assert execute(quote, text="it's heads").output("condition-1/say") == "same"


def test_whole_numbers_compare_with_fractions(execute: Callable[..., Any]) -> None:
    @dsl.pipeline(name="numbers")
    def numbers(n: int) -> None:
        with dsl.If(n > 2.5):
            say(text="more")

    assert execute(numbers, n=3).output("condition-1/say") == "more"
    assert execute(numbers, n=2).states()["condition-1"] == "SKIPPED"


def test_what_depends_on_a_skipped_branch_is_skipped(execute: Callable[..., Any]) -> None:
    @dsl.pipeline(name="skipped")
    def skipped(coin: str) -> None:
        with dsl.If(coin == "heads"):
            with dsl.If(coin != "tails"):
                inside = say(text="yes")
                say(text=inside.output)
        say(text="beside")

    run = execute(skipped, coin="tails")
    assert run.states() == {
        "condition-1": "SKIPPED",
        "condition-1/condition-2": "SKIPPED",
        "condition-1/condition-2/say": "SKIPPED",
        "condition-1/condition-2/say-2": "SKIPPED",
        "say-3": "SUCCEEDED",
    }
    assert run.state.value == "SUCCEEDED"


def test_a_loop_collects_parameters_in_order(execute: Callable[..., Any]) -> None:
    @dsl.pipeline(name="loop")
    def loop(items: List[int] = [3, 1, 2]) -> int:
        with dsl.ParallelFor(items) as item:
            made = double(number=item)
        count_items(items=dsl.Collected(made.output))
        return total(numbers=dsl.Collected(made.output)).output

    run = execute(loop)
    assert run.output("total") == 12
    assert run.output("count-items") == "3 [6, 2, 4]"
    assert run.stored["for-loop-1[1]/double"].parent == "for-loop-1[1]"
    assert run.stored["for-loop-1[1]"].iteration == 1


def test_an_empty_loop_collects_nothing(execute: Callable[..., Any]) -> None:
    @dsl.pipeline(name="empty")
    def empty(items: List[int] = []) -> int:
        with dsl.ParallelFor(items) as item:
            made = double(number=item)
            data = write(text="x")
        read_all(data=dsl.Collected(data.outputs["out"]))
        return total(numbers=dsl.Collected(made.output)).output

    run = execute(empty)
    assert run.output("total") == 0
    assert run.states()["for-loop-1"] == "SUCCEEDED"


def test_a_loop_collects_artifacts(execute: Callable[..., Any]) -> None:
    @dsl.pipeline(name="artifacts")
    def artifacts() -> str:
        with dsl.ParallelFor(["a", "b", "c"]) as item:
            made = write(text=item)
        return read_all(data=dsl.Collected(made.outputs["out"])).output

    assert execute(artifacts).output("read-all") == "a b c"


def test_nested_loops_collect_lists_of_lists_but_one_list_of_artifacts(
    execute: Callable[..., Any],
) -> None:
    @component
    def join(a: str, b: str, out: dsl.Output[dsl.Dataset]) -> str:
        with open(out.path, "w") as file:
            file.write(a + b)
        return a + b

    @dsl.pipeline(name="nested")
    def nested() -> str:
        with dsl.ParallelFor(["a", "b"]) as outer, dsl.ParallelFor(["1", "2"]) as inner:
            made = join(a=outer, b=inner)
        count_items(items=dsl.Collected(made.outputs["Output"]))
        return read_all(data=dsl.Collected(made.outputs["out"])).output

    run = execute(nested)
    assert run.output("read-all") == "a1 a2 b1 b2"
    assert run.output("count-items") == "2 [['a1', 'a2'], ['b1', 'b2']]"


def test_loops_go_over_the_parts_of_an_item(execute: Callable[..., Any]) -> None:
    rows = [{"label": "x", "all": ["a", "b"]}, {"label": "y", "all": ["c"]}]

    @dsl.pipeline(name="parts")
    def parts(items: List[Dict[str, str]] = rows) -> None:
        with dsl.ParallelFor(items) as item:
            say(text=item.label)
            with dsl.ParallelFor(item.all) as part:
                made = say(text=part)
        count_items(items=dsl.Collected(made.output))

    run = execute(parts)
    assert run.output("count-items") == "2 [['a', 'b'], ['c']]"
    assert run.output("for-loop-1[1]/say") == "y"


def test_a_loop_keeps_its_limit(begin: Callable[..., Any]) -> None:
    @dsl.pipeline(name="limit")
    def limit() -> None:
        with dsl.ParallelFor([1, 2, 3, 4, 5], parallelism=2) as item:
            double(number=double(number=item).output)

    run = begin(limit)
    at_once = []
    while run.state is None:
        run.turn()
        states = run.states()
        at_once.append(sum(states.get(f"for-loop-2[{i}]") == "RUNNING" for i in range(5)))
    assert max(at_once) == 2
    assert len(run.ran) == 10


def test_an_item_that_is_not_of_its_type_fails_the_loop(execute: Callable[..., Any]) -> None:
    @dsl.pipeline(name="items")
    def items(numbers: list) -> None:
        with dsl.ParallelFor(numbers) as number:
            double(number=number)

    run = execute(items, numbers=[1, "two"])
    assert run.state.value == "FAILED"
    assert "whole number" in run.error


def test_an_exit_task_runs_after_a_failure_and_is_told(execute: Callable[..., Any]) -> None:
    @component
    def tell(status: dsl.PipelineTaskFinalStatus, name: str) -> str:
        return f"{name} {status.pipeline_task_name} {status.state} {status.error_message}"

    @dsl.pipeline(name="exits")
    def exits(text: str = "broken") -> None:
        done = tell(name="n")
        with dsl.ExitHandler(done):
            say(text="fine").after(fail(message=text))

    run = execute(exits)
    assert run.state.value == "FAILED"
    assert run.error == "exit-handler-1/fail: ValueError: broken"
    assert run.states()["exit-handler-1/say"] == "SKIPPED"
    assert run.output("tell") == "n exit-handler-1 FAILED exit-handler-1/fail: ValueError: broken"


def test_an_exit_task_hears_of_success_in_kubeflows_word(execute: Callable[..., Any]) -> None:
    @component
    def tell(status: dsl.PipelineTaskFinalStatus) -> str:
        return f"{status.state} {status.pipeline_job_resource_name}"

    @dsl.pipeline(name="exits")
    def exits() -> None:
        with dsl.ExitHandler(tell()):
            say(text="fine")

    run = execute(exits)
    assert run.output("tell") == "COMPLETE my-pipeline-abc12"
    assert run.state.value == "SUCCEEDED"


def test_a_task_may_ignore_that_one_before_it_failed(execute: Callable[..., Any]) -> None:
    @component
    def clean(text: str = "default") -> str:
        return text

    @dsl.pipeline(name="ignore")
    def ignore() -> None:
        clean(text=fail().output).ignore_upstream_failure()

    run = execute(ignore)
    assert run.output("clean") == "default"
    assert run.state.value == "FAILED"


def test_a_failure_does_not_hold_up_independent_tasks(execute: Callable[..., Any]) -> None:
    @dsl.pipeline(name="independent")
    def independent() -> None:
        say(text=fail().output)
        double(number=double(number=1).output)

    run = execute(independent)
    assert run.states() == {
        "fail": "FAILED",
        "say": "SKIPPED",
        "double": "SUCCEEDED",
        "double-2": "SUCCEEDED",
    }
    assert run.error == "fail: ValueError: it broke"


def test_optional_inputs_that_are_left_out_take_the_functions_default(
    execute: Callable[..., Any],
) -> None:
    @component
    def show(text: Optional[str] = None, number: int = 7) -> str:
        return f"{text} {number}"

    @dsl.pipeline(name="inner")
    def inner(text: Optional[str] = None, number: int = 5) -> str:
        return show(text=text, number=number).output

    @dsl.pipeline(name="outer")
    def outer(text: Optional[str] = None) -> None:
        show()
        show(text=text)
        inner()
        inner(text=text)

    run = execute(outer)
    assert run.output("show") == "None 7"
    assert run.output("show-2") == "None 7"
    assert run.output("inner/show") == "None 5"
    assert run.output("inner-2/show") == "None 5"
    assert execute(outer, text="hi").output("inner-2/show") == "hi 5"


def test_optional_artifacts_may_be_left_out(execute: Callable[..., Any]) -> None:
    @component
    def peek(data: Optional[dsl.Input[dsl.Dataset]] = None) -> str:
        import pathlib

        return "none" if data is None else pathlib.Path(data.path).read_text()

    @dsl.pipeline(name="inner")
    def inner(data: Optional[dsl.Input[dsl.Dataset]] = None) -> str:
        return peek(data=data).output

    @dsl.pipeline(name="outer")
    def outer() -> None:
        inner()
        inner(data=write(text="there").outputs["out"])

    run = execute(outer)
    assert run.output("inner/peek") == "none"
    assert run.output("inner-2/peek") == "there"


def test_an_importer_brings_in_a_local_file(execute: Callable[..., Any], tmp_path: Any) -> None:
    (tmp_path / "data.txt").write_text("imported")

    @dsl.pipeline(name="imports")
    def imports(uri: str, owner: str = "me") -> str:
        data = dsl.importer(
            artifact_uri=uri, artifact_class=dsl.Dataset, metadata={"owner": owner, "n": 1}
        )
        return read(data=data.output).output

    run = execute(imports, uri=(tmp_path / "data.txt").as_uri())
    assert run.output("read") == "imported"
    assert run.stored["importer"].outputs.artifacts["artifact"][0].metadata == {
        "owner": "me",
        "n": 1,
    }
    assert "nothing at" in execute(imports, uri=str(tmp_path / "no")).error
    assert "not on this machine" in execute(imports, uri="s3://bucket/key").error


def test_placeholders_are_filled_in(execute: Callable[..., Any]) -> None:
    @component
    def show(text: str, extra: dict) -> str:
        return f"{text}|{extra['at']}"

    @dsl.pipeline(name="placeholders")
    def placeholders() -> None:
        show(
            text=f"{dsl.PIPELINE_JOB_NAME_PLACEHOLDER} {dsl.PIPELINE_JOB_ID_PLACEHOLDER} "
            f"{dsl.PIPELINE_TASK_NAME_PLACEHOLDER} {dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER}",
            extra={"at": dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER},
        )

    assert execute(placeholders).output("show") == (
        "my job 11111111-2222-3333-4444-555555555555 show my-pipeline-abc12|2026-03-01T12:00:00Z"
    )


def test_a_placeholder_in_data_stays_data(execute: Callable[..., Any]) -> None:
    @component
    def trap() -> str:
        return "{{$.inputs.parameters['secret']}} {{$.pipeline_job_name}}"

    @component
    def show(text: str, secret: str) -> str:
        return text

    @dsl.pipeline(name="traps")
    def traps() -> None:
        show(text=f"<{trap().output}>", secret="hidden")

    expected = "<{{$.inputs.parameters['secret']}} {{$.pipeline_job_name}}>"
    assert execute(traps).output("show") == expected


def test_tasks_share_the_runs_workspace(execute: Callable[..., Any]) -> None:
    @component
    def leave(folder: str) -> None:
        with open(folder + "/note.txt", "w") as file:
            file.write("left")

    @component
    def find(path: str) -> str:
        import pathlib

        return pathlib.Path(path).read_text()

    @dsl.pipeline(
        name="workspace",
        pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size="1Gi")),
    )
    def workspace() -> None:
        left = leave(folder=dsl.WORKSPACE_PATH_PLACEHOLDER)
        find(path=f"{dsl.WORKSPACE_PATH_PLACEHOLDER}/note.txt").after(left)

    assert execute(workspace).output("find") == "left"


def test_a_file_at_a_custom_path_is_kept(execute: Callable[..., Any], tmp_path: Any) -> None:
    @component
    def put(where: str, out: dsl.Output[dsl.Dataset]) -> None:
        out.set_path(where)
        with open(where, "w") as file:
            file.write("first")

    @dsl.pipeline(name="custom")
    def custom(where: str) -> str:
        return read(data=put(where=where).outputs["out"]).output

    run = execute(custom, where=str(tmp_path / "elsewhere.txt"))
    (tmp_path / "elsewhere.txt").write_text("overwritten")
    assert run.text("put", "out") == "first"


def test_pythonic_artifacts_lie_with_their_task(execute: Callable[..., Any]) -> None:
    @component
    def make() -> dsl.Dataset:
        made = dsl.Dataset(uri=dsl.get_uri("mine"), metadata={"k": "v"})
        with open(made.path, "w") as file:
            file.write("pythonic")
        return made

    @component
    def take(data: dsl.Dataset) -> str:
        import pathlib

        return pathlib.Path(data.path).read_text() + data.metadata["k"]

    @dsl.pipeline(name="pythonic")
    def pythonic() -> str:
        return take(data=make().output).output

    assert execute(pythonic).output("take") == "pythonicv"


def test_output_paths_give_typed_values(execute: Callable[..., Any]) -> None:
    @component
    def files(number: dsl.OutputPath(int), flag: dsl.OutputPath(bool), items: dsl.OutputPath(list)):  # type: ignore[valid-type]
        for path, text in ((number, "7"), (flag, "True"), (items, "[1, 2]")):
            with open(path, "w") as file:
                file.write(text)

    @dsl.pipeline(name="paths")
    def paths() -> None:
        made = files()
        kind_of(value=made.outputs["number"])
        count_items(items=made.outputs["items"])

    run = execute(paths)
    assert run.output("kind-of") == "int 7"
    assert run.output("files", "flag") is True
    assert run.output("count-items") == "2 [1, 2]"


def test_a_task_that_gives_no_value_for_its_output_fails(execute: Callable[..., Any]) -> None:
    @component
    def forgets(out: dsl.OutputPath(str)):  # type: ignore[valid-type]
        pass

    @component
    def not_a_number() -> float:
        return float("nan")

    @dsl.pipeline(name="forgets")
    def pipeline() -> None:
        forgets()
        not_a_number()

    run = execute(pipeline)
    assert "without giving its output `out`" in run.stored["forgets"].error
    assert "NaN" in run.stored["not-a-number"].error


def test_embedded_files_come_along(execute: Callable[..., Any], tmp_path: Any) -> None:
    (tmp_path / "asset").mkdir()
    (tmp_path / "asset" / "words.txt").write_text("embedded words")

    @component(embedded_artifact_path=str(tmp_path / "asset"))
    def look(folder: dsl.EmbeddedInput[dsl.Dataset]) -> str:
        import pathlib

        return (pathlib.Path(folder.path) / "words.txt").read_text()

    @dsl.pipeline(name="embedded")
    def embedded() -> None:
        look()

    assert execute(embedded).output("look") == "embedded words"


def test_a_notebook_is_a_component(begin: Callable[..., Any], tmp_path: Any) -> None:
    import nbformat

    cells = [nbformat.v4.new_code_cell("n = 1"), nbformat.v4.new_code_cell("print(n)")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "train.ipynb")

    @dsl.notebook_component(notebook_path=str(tmp_path / "train.ipynb"), base_image="python:3.11")
    def train(n: int) -> int:
        dsl.run_notebook(n=n)
        return n + 1

    @dsl.pipeline(name="notebooks")
    def notebooks() -> None:
        train(n=3)

    run = begin(notebooks)
    (ready,) = run.scheduler.advance().ready
    invocation = run.scheduler.invocation(ready.task_id, 1, tmp_path)
    assert invocation.function == "train"
    assert any(name.startswith("nbclient") for name in invocation.packages)
    assert "__KFP_EMBEDDED_ARCHIVE_B64" in invocation.source
