"""Turns a notebook cell into a Kubeflow Pipelines component."""

from __future__ import annotations

import ast
import keyword
import linecache
import re
import textwrap
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

from ..errors import InvalidCell

#: kfp's own default moves with time and warns about it; this is the newest Python it supports.
DEFAULT_IMAGE = "python:3.12"

_numbers = count(1)
_PORT = re.compile(r"^(?P<name>[A-Za-z_]\w*)(:(?P<type>[^=]+))?(=(?P<default>.+))?$")


def component_from_cell(
    cell: str,
    namespace: Mapping[str, Any],
    *,
    name: str = "",
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    packages: Sequence[str] = (),
    base_image: str | None = None,
) -> tuple[str, Any]:
    """Makes a component of `cell` and returns it with the name to bind it to.

    A cell with one function becomes that function's component, as ``@dsl.component`` would make
    it. A cell of plain statements becomes a component called `name` with `inputs`
    (``x:int=3``) and `outputs` (``accuracy:float``; without a type: float).

    Raises InvalidCell where the cell has both, or cannot be a component.
    """
    try:
        tree = ast.parse(cell)
    except SyntaxError as error:
        raise InvalidCell(f"Line {error.lineno}: {error.msg}.") from error
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    if functions:
        _check_function_cell(tree, functions, inputs or outputs)
        return functions[0].name, _component(
            cell, functions[0].name, namespace, packages, base_image
        )
    if not tree.body:
        raise InvalidCell(
            "The cell is empty.", next_step="Write the component's code below %%component."
        )
    source = _function_source(cell, _identifier(name), inputs, outputs)
    return name, _component(source, name, namespace, packages, base_image)


def _check_function_cell(
    tree: ast.Module, functions: list[ast.FunctionDef], ports: Sequence[str]
) -> None:
    """A component carries its function alone, so whatever else the cell says would be lost."""
    if len(functions) > 1:
        raise InvalidCell(
            f"The cell defines {len(functions)} functions; a component is one.",
            next_step="Put each function into a cell of its own, or one inside the other.",
        )
    others = [node for node in tree.body if node not in functions and not _is_docstring(node)]
    if others:
        raise InvalidCell(
            f"Line {others[0].lineno}: a component carries only its function; this would be lost.",
            next_step="Move imports and constants into the function.",
        )
    if functions[0].decorator_list:
        raise InvalidCell(
            "The function has a decorator already.",
            next_step="Remove %%component or the decorator.",
        )
    if ports:
        raise InvalidCell(
            "--input and --output are for cells without a function.",
            next_step="Annotate the function's arguments and result instead.",
        )


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _identifier(name: str) -> str:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise InvalidCell(
            f"{name!r} cannot be a component's name." if name else "The component has no name.",
            next_step="Write %%component NAME, or define a function in the cell.",
        )
    return name


def _function_source(cell: str, name: str, inputs: Sequence[str], outputs: Sequence[str]) -> str:
    """The function a cell of plain statements stands for."""
    arguments = ", ".join(_port(text, "--input") for text in inputs)
    results = [_port(text, "--output") for text in outputs]
    lines = [f"def {name}({arguments}):"]
    if results:
        fields = ", ".join(
            f"({port.split(':')[0]!r}, {port.split(':')[1].strip()})" for port in results
        )
        lines = [f"def {name}({arguments}) -> NamedTuple({name + '_outputs'!r}, [{fields}]):"]
    lines.append(textwrap.indent(cell.rstrip(), "    "))
    if results:
        values = ", ".join(port.split(":")[0] for port in results)
        lines.append(f"    return ({values},)")
    return "\n".join(lines) + "\n"


def _port(text: str, option: str) -> str:
    """`name:type=default` as an annotated argument; a port without a type is a float."""
    match = _PORT.match(text)
    if match is None:
        raise InvalidCell(
            f"{option} {text!r} is not name:type.",
            next_step=f"Write for instance {option} epochs:int=3.",
        )
    default = f" = {match['default']}" if match["default"] else ""
    return f"{match['name']}: {(match['type'] or 'float').strip()}{default}"


def _component(
    source: str,
    name: str,
    namespace: Mapping[str, Any],
    packages: Sequence[str],
    base_image: str | None,
) -> Any:
    from kfp import dsl

    filename = f"<component {name} {next(_numbers)}>"
    # kfp reads a function's source through linecache, as inspect does.
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    # A component runs after `from kfp.dsl import *`: its annotations mean kfp's types, also where
    # the notebook uses a name such as Markdown for something else.
    scope = {
        **namespace,
        **{export: getattr(dsl, export) for export in dsl.__all__},
        "NamedTuple": NamedTuple,
    }
    try:
        # This module's own `from __future__` must not reach the user's annotations.
        exec(compile(source, filename, "exec", dont_inherit=True), scope)  # noqa: S102
        return dsl.component(
            scope[name],
            base_image=base_image or DEFAULT_IMAGE,
            packages_to_install=list(packages) or None,
        )
    except Exception as error:
        raise InvalidCell(f"{name} cannot be a component: {error}") from error
