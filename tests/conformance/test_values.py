"""Parameters of every type, on every way in and out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.desk import Desk, Ended

ODD = "ünïcödé 漢字 \U0001f600 'quoted' \"double\" \\back\n\tline"


@pytest.mark.run("values.types")
def test_values_keep_their_types(run: Ended) -> None:
    assert run.state == "SUCCEEDED"
    assert run.output("look") == "[3, 2.0, False, '3', [1, 2.5, 'x'], {'k': 1}]"
    through = "[3, 2.0, True, '3', [1, 2.5, 'x', True, [1], []], {'k': 1, 'x': 1.5}]"
    assert [run.output("look-2"), run.output("look-3")] == [through, through]


@pytest.mark.run("values.types", i="4", b="false", items="[]", d={"none": None, "l": [None, 1]})
def test_a_run_may_be_given_texts_and_nulls(run: Ended) -> None:
    through = "[4, 2.0, False, '3', [], {'none': None, 'l': [None, 1]}]"
    assert [run.output("look-2"), run.output("look-3")] == [through, through]


@pytest.mark.run("values.odd", text=ODD)
def test_odd_keys_and_texts_arrive_as_they_are(run: Ended) -> None:
    assert run.state == "SUCCEEDED"
    assert run.output("show") == repr(ODD)
    assert run.output("show-2") == "''"
    assert run.output("say-2") == f"<{ODD}>"
    assert run.output("same") == {
        "a b": 1,
        "k.e'y\"": [1, 2.5, {}],
        "ключ": {"": True},
        "{{$.x}}": "{{$.pipeline_job_name}}",
    }


@pytest.mark.run("values.big", text="x" * 3_000_000)
def test_values_longer_than_a_command_line_travel(run: Ended) -> None:
    assert run.output("count") == "200000 3000000"


@pytest.mark.run("values.texts")
def test_values_become_text_as_kubeflow_writes_them(run: Ended) -> None:
    assert run.output("say") == "21 0.1 3 true"
    assert run.output("say-2") == r'{"a":[1,1e-9,0.00001],"b":"\u003c\u0026\u003e"}'


@pytest.mark.run("values.numbers")
def test_whole_floats_are_whole_inside_lists_only(run: Ended) -> None:
    assert run.output("kinds") == "[4.0, 9007199254740992, 1e-09, [1, 2.5]]"


@pytest.mark.run("values.paths")
def test_output_paths_give_typed_values(run: Ended) -> None:
    assert run.state == "SUCCEEDED"
    assert run.task("files").outputs.parameters == {
        "number": 7,
        "real": 2.5,
        "flag": True,
        "items": [1, 2],
        "table": {"a": 1},
        "text": " as it is \n",
    }
    assert run.output("kind-of") == "int 7"
    assert run.output("show") == repr(" as it is \n")
    assert run.output("both-ways") == "returned"
    assert run.output("both-ways", "path") == "from the file"


@pytest.mark.run("values.misfits")
def test_outputs_that_are_missing_or_do_not_fit_fail_their_task(run: Ended) -> None:
    assert run.state == "FAILED"
    assert "without giving its output `out`" in run.error_of("gives-nothing")
    assert "NaN" in run.error_of("not-a-number")
    assert 'it must be a whole number, not "seven"' in run.error_of("wrong-kind")
    assert "want type <class 'int'>" in run.error_of("of-another-type")


SELECTORS = {
    'parseJson(string_value)["inner"]["text"]': "deep",
    "struct_value['inner']['list'][1]": "20",
    "struct_value.inner": '{"list":[10,20],"text":"deep"}',
    "size(struct_value.inner.list)": "2",
    'parseJson(string_value)["other"]': None,
}


@pytest.fixture(scope="module")
def selected(desk: Desk) -> Ended:
    """A run with a task `any-<i>` for each selector, which the SDK does not write but in loops."""
    spec: Any = desk.spec("values.selectors")["pipeline_spec"]
    tasks = spec["root"]["dag"]["tasks"]
    task = json.dumps(tasks.pop("any-of"))
    from_task = {"taskOutputParameter": {"producerTask": "struct", "outputParameterKey": "Output"}}
    number = {
        "componentInputParameter": "table",
        "parameterExpressionSelector": "struct_value['n']",
    }
    for index, selector in enumerate(SELECTORS):
        text = {**from_task, "parameterExpressionSelector": selector}
        inputs = {"parameters": {"text": text, "number": number}}
        tasks[f"any-{index}"] = {**json.loads(task), "inputs": inputs}
    return desk.run("values.selectors", {}, pipeline_spec=spec)


@pytest.mark.parametrize(("index", "expected"), list(enumerate(SELECTORS.values())))
def test_a_selector_picks_a_part_or_fails_its_task(
    selected: Ended, index: int, expected: str | None
) -> None:
    if expected is None:
        assert 'there is no "other"' in selected.error_of(f"any-{index}")
    else:
        assert selected.output(f"any-{index}") == f"{expected} 3"
