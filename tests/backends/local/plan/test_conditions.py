"""Conditions and selectors: CEL's meaning, no evaluation of data, errors that say why."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jupyterlab_pipelines.backends.local.plan.cel import CelError, parse
from jupyterlab_pipelines.backends.local.plan.conditions import is_true, select

VALUES = {"n": 3, "x": 2.5, "s": "heads", "b": True, "l": [1, "a"], "d": {"k": "v"}, "nil": None}


def at(name: str) -> str:
    return f"inputs.parameter_values['{name}']"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (f"{at('s')} == 'heads'", True),
        (f"{at('s')} != 'heads'", False),
        (f"!({at('s')} == 'heads')", False),
        (f"int({at('n')}) == 3", True),
        (f"{at('n')} == 3.0", True),
        (f"int({at('n')}) > 2.5", True),
        (f"double({at('x')}) <= 2.5", True),
        (f"int({at('x')}) == 2", True),
        (f"{at('b')} == true", True),
        (f"{at('n')} == '3'", False),
        (f"{at('nil')} == null", True),
        (f"!({at('s')} == 'heads') && int({at('n')}) > 'x'", False),
        (f"{at('s')} == 'heads' || {at('missing')} == 1", True),
        (f"{at('missing')} == 1 || {at('s')} == 'heads'", True),
        ("1 + 2 * 3 == 7 && -(2) < 0", True),
        (f"{at('l')}[1] == 'a' && {at('d')}['k'] == 'v'", True),
        (f"'k' in {at('d')} && 1 in {at('l')} && !('z' in {at('l')})", True),
        (f"size({at('s')}) == 5 && {at('s')}.startsWith('he')", True),
        (f"{at('n')} > 1 ? {at('b')} : false", True),
        (r"'a\tb' == 'a	b' && '\u0041' == 'A'", True),
        ("'a' < 'b' && \"x\" == 'x'", True),
        ("[1, 2] == [1.0, 2] && [] != [1]", True),
        ("string(3.0) == '3' && bool('true') && int('7') == 7", True),
    ],
)
def test_conditions_have_cels_meaning(condition: str, expected: bool) -> None:
    assert is_true(condition, VALUES) is expected


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (f"{at('missing')} == 1", 'there is no "missing"'),
        (f"{at('s')} > 1", "cannot be compared"),
        (f"{at('s')}", "not true or false"),
        (f"{at('n')} && true", "3 is not true or false"),
        ("int('x') == 1", "not a whole number"),
        ("int(' 7 ') == 7", "not a whole number"),
        ("int('1_0') == 10", "not a whole number"),
        ("double('1_0') == 10.0", "not a number"),
        ("int(9223372036854775808) == 1", "out of range"),
        ("nothing == 1", "`nothing` is not known"),
        ("1 ==", "ends where a value is expected"),
        ("(1 == 1", "`)` is expected"),
        ("'open", "no closing quote"),
        (r"'\d' == 'd'", "not an escape"),
        ("open('/etc/passwd') == 1", "`open` with 1 arguments is not supported"),
        ("inputs.__class__ == 1", "there is no `__class__`"),
        ("4 / 2 == 2", "`/` is not supported"),
        ("1 == 1; 2", "`;` is not understood"),
        ("(" * 100 + "1" + ")" * 100, "nested deeper"),
        ("!" * 100 + "true", "nested deeper"),
        ("'" + "a" * 30_000 + "'", "longer than"),
    ],
)
def test_an_error_says_why(condition: str, reason: str) -> None:
    with pytest.raises(CelError, match=reason.replace("(", r"\(").replace(")", r"\)")):
        is_true(condition, VALUES)


@given(st.text(max_size=40))
@example("it's heads")
@example("' || true || '")
@example("__import__('os').system('x')")
@example("{{$.inputs.parameters['n']}}")
def test_data_is_compared_never_run(text: str) -> None:
    assert is_true(f"{at('s')} == {at('t')}", {"s": text, "t": text})
    assert not is_true(f"{at('s')} == 'heads!'", {"s": text}) or text == "heads!"


@given(st.text(alphabet=st.characters(blacklist_characters="'\\", blacklist_categories=["Cs"])))
def test_a_literal_is_what_its_author_wrote(text: str) -> None:
    assert is_true(f"{at('s')} == '{text}'", {"s": text})


@pytest.mark.parametrize("text", ["it's heads", "rock 'n' roll", "'", "don't, can't"])
def test_a_quote_inside_a_text_is_part_of_it(text: str) -> None:
    assert is_true(f"{at('s')} == '{text}'", {"s": text})


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(CelError):
        parse(text)


@pytest.mark.parametrize(
    ("value", "selector", "expected"),
    [
        ('{"a": {"b": 3}}', 'parseJson(string_value)["a"]', {"b": 3}),
        ({"a": 1, "b": [1, 2]}, 'parseJson(string_value)["b"]', [1, 2]),
        ("[1, 2]", "parseJson(string_value)[1]", 2),
        ({"a": 1}, "struct_value['a']", 1),
        (7, "string_value", "7"),
        ("text", "size(string_value)", 4),
    ],
)
def test_a_selector_picks_a_part(value: Any, selector: str, expected: Any) -> None:
    picked = select(value, selector)
    assert picked == expected
    assert type(picked) is type(expected)


def test_a_selector_says_what_is_missing() -> None:
    with pytest.raises(CelError, match='there is no "z"'):
        select('{"a": 1}', 'parseJson(string_value)["z"]')
    with pytest.raises(CelError, match="is not JSON"):
        select("{", 'parseJson(string_value)["z"]')
