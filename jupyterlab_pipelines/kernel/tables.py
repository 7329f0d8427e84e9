"""Runs and their tasks as what a notebook shows without widgets: text, and escaped HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ..models import Run, RunGraph, State
from ..wording import age_text, duration_text, state_text, tasks_in_order

_ACCENT = {
    State.FAILED: "var(--jp-error-color1, #b3261e)",
    State.RUNNING: "var(--jp-warn-color1, #b26a00)",
    State.SUCCEEDED: "var(--jp-success-color1, #2e7d32)",
    State.CACHED: "var(--jp-success-color2, #558b2f)",
}


class RunTable:
    """The answer of ``%pipelines runs``."""

    def __init__(self, connection: str, runs: Sequence[Run]) -> None:
        self.connection = connection
        self.runs = list(runs)

    def rows(self) -> list[tuple[str, ...]]:
        return [
            (
                state_text(run.state),
                run.display_name,
                run.pipeline_name,
                duration_text(run.started_at or run.created_at, run.finished_at),
                age_text(run.created_at),
                run.run_id,
            )
            for run in self.runs
        ]

    def __repr__(self) -> str:
        if not self.runs:
            return f"No runs on {self.connection} yet."
        return _text_table(("State", "Name", "Pipeline", "Duration", "Created", "Id"), self.rows())

    def _repr_html_(self) -> str:
        if not self.runs:
            return f"<p>{escape(repr(self))}</p>"
        head = ("State", "Name", "Pipeline", "Duration", "Created", "Id")
        colours = [_ACCENT.get(run.state, "") for run in self.runs]
        return _html_table(head, self.rows(), colours)


def graph_text(graph: RunGraph) -> str:
    """A run and its tasks as text."""
    head = f"{graph.run.display_name}: {state_text(graph.run.state)}"
    if graph.run.error:
        head += f"\n{graph.run.error}"
    return f"{head}\n\n{_text_table(_TASK_HEAD, _task_rows(graph))}"


def graph_html(graph: RunGraph) -> str:
    """A run and its tasks as a table of escaped HTML."""
    run = graph.run
    colour = _ACCENT.get(run.state, "")
    took = duration_text(run.started_at or run.created_at, run.finished_at)
    head = (
        f"<p><strong>{escape(run.display_name)}</strong> "
        f'<span style="color: {colour}">{escape(state_text(run.state))}</span> {escape(took)}</p>'
    )
    if run.error:
        head += f"<p>{escape(run.error)}</p>"
    colours = [_ACCENT.get(status.state, "") for _, _, status in tasks_in_order(graph)]
    return head + _html_table(_TASK_HEAD, _task_rows(graph), colours)


_TASK_HEAD = ("State", "Task", "Duration", "Reason")


def _task_rows(graph: RunGraph) -> list[tuple[str, ...]]:
    return [
        (
            state_text(status.state),
            "  " * depth + node.display_name,
            duration_text(status.started_at, status.finished_at),
            (status.error or "").splitlines()[0] if status.error else "",
        )
        for depth, node, status in tasks_in_order(graph)
    ]


def _text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = [head, *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]], colours: Sequence[str]) -> str:
    """A table whose first column, the state, is coloured. Leading spaces become an indent."""
    cells = "".join(f'<th style="text-align: left">{escape(title)}</th>' for title in head)
    body = []
    for row, colour in zip(rows, colours, strict=True):
        style = f"text-align: left; white-space: nowrap; color: {colour}"
        first = f'<td style="{style}">{escape(row[0])}</td>'
        rest = "".join(
            f'<td style="text-align: left; padding-left: {0.6 + _indent(cell) * 0.6:.1f}em">'
            f"{escape(cell.strip())}</td>"
            for cell in row[1:]
        )
        body.append(f"<tr>{first}{rest}</tr>")
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _indent(cell: str) -> int:
    return len(cell) - len(cell.lstrip(" "))
