"""A run's parameters: defaults, types, texts from a command line, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterlab_pipelines.backends.local.plan.ir import Pipeline
from jupyterlab_pipelines.backends.local.plan.parameters import (
    Misfit,
    as_text,
    check_parameters,
    conform,
    from_text,
)
from jupyterlab_pipelines.backends.local.plan.spec import ParameterSpec, ParameterType
from jupyterlab_pipelines.errors import InvalidParameter


@pytest.fixture
def pipeline(ir: Any) -> Pipeline:
    spec = ir({"a": []})
    spec["root"]["inputDefinitions"] = {
        "parameters": {
            "text": {"parameterType": "STRING"},
            "count": {"parameterType": "NUMBER_INTEGER", "defaultValue": 3.0, "isOptional": True},
            "rate": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 1, "isOptional": True},
            "maybe": {"parameterType": "STRING", "isOptional": True},
            "mode": {
                "parameterType": "STRING",
                "literals": ["fast", "slow"],
                "defaultValue": "fast",
            },
        }
    }
    return Pipeline.parse(spec)


def test_defaults_are_filled_in_with_their_types(pipeline: Pipeline) -> None:
    checked = check_parameters(pipeline, {"text": "hi"})
    assert checked == {"text": "hi", "count": 3, "rate": 1.0, "maybe": None, "mode": "fast"}
    assert isinstance(checked["count"], int)
    assert isinstance(checked["rate"], float)


def test_texts_of_a_command_line_become_values(pipeline: Pipeline) -> None:
    checked = check_parameters(pipeline, {"text": "5", "count": "7", "rate": "1e-3"})
    assert checked["text"] == "5"
    assert checked["count"] == 7
    assert checked["rate"] == 0.001


def test_null_is_as_good_as_left_out(pipeline: Pipeline) -> None:
    assert check_parameters(pipeline, {"text": "x", "count": None})["count"] == 3


def test_every_mistake_is_named(pipeline: Pipeline) -> None:
    with pytest.raises(InvalidParameter) as refusal:
        check_parameters(pipeline, {"count": "many", "color": 1, "mode": "warp"})
    places = {problem.place: problem for problem in refusal.value.problems}
    assert set(places) == {"count", "color", "mode", "text"}
    assert 'must be a whole number, not "many"' in places["count"].message
    assert "no parameter `color`" in places["color"].message
    assert "count, maybe, mode, rate, text" in places["color"].next_step
    assert 'one of "fast", "slow"' in places["mode"].message
    assert places["text"].next_step == "Give it a text."


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (3, "STRING", "3"),
        (3.0, "STRING", "3"),
        (1e-7, "STRING", "0.0000001"),
        (True, "STRING", "true"),
        ({"a": [1, "é"]}, "STRING", '{"a":[1,"é"]}'),
        (3.0, "NUMBER_INTEGER", 3),
        (3, "NUMBER_DOUBLE", 3.0),
        ([], "LIST", []),
        ({}, "STRUCT", {}),
    ],
)
def test_a_value_takes_its_type(value: Any, kind: str, expected: Any) -> None:
    fitted = conform(value, ParameterSpec("x", ParameterType(kind)))
    assert fitted == expected
    assert type(fitted) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("3", "NUMBER_INTEGER"),
        (True, "NUMBER_INTEGER"),
        (1, "BOOLEAN"),
        ("[]", "LIST"),
        ([], "STRUCT"),
        (math.nan, "NUMBER_DOUBLE"),
        (None, "LIST"),
        (10**400, "NUMBER_DOUBLE"),
    ],
)
def test_a_value_of_another_type_is_refused(value: Any, kind: str) -> None:
    with pytest.raises(Misfit, match=r"must be|no place in JSON|out of"):
        conform(value, ParameterSpec("x", ParameterType(kind)))


@pytest.mark.parametrize(
    ("text", "kind"),
    [("x", "BOOLEAN"), ("1.5", "NUMBER_INTEGER"), ("nan", "NUMBER_DOUBLE"), ("{}", "LIST")],
)
def test_a_text_of_another_type_is_refused(text: str, kind: str) -> None:
    with pytest.raises(Misfit, match="must be"):
        from_text(text, ParameterType(kind))


@given(st.integers(-(2**53), 2**53))
def test_an_integer_survives_its_text(number: int) -> None:
    assert from_text(as_text(number), ParameterType.INTEGER) == number


@given(st.text(), st.sampled_from(list(ParameterType)))
def test_any_text_is_read_or_refused(text: str, kind: ParameterType) -> None:
    try:
        value = from_text(text, kind)
    except Misfit as misfit:
        assert "must be" in str(misfit)  # noqa: PT017 - either outcome is right
    else:
        assert value is not None
