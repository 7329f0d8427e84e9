"""A run beside the code that started it: a live ipywidgets view with a static fallback."""

from __future__ import annotations

import asyncio
from typing import Any

from ..errors import PipelinesError
from ..models import RunGraph
from ..service import Service
from . import runs
from .tables import graph_html, graph_text

WIDGET_MIME = "application/vnd.jupyter.widget-view+json"


class RunView:
    """Shows a run and follows it until it ends.

    A front end with widgets shows the live view; one without shows the table as it was when the
    cell ran: both are in the same MIME bundle.
    """

    def __init__(self, desk: Service, run_id: str) -> None:
        self.desk = desk
        self.graph: RunGraph = runs.wait(desk.get_graph(run_id))
        self._live = _live_view(self)

    @property
    def run_id(self) -> str:
        return self.graph.run.run_id

    def __repr__(self) -> str:
        return graph_text(self.graph)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = {
            "text/plain": graph_text(self.graph),
            "text/html": graph_html(self.graph),
        }
        if self._live is not None:
            widget = self._live.box._repr_mimebundle_()
            if widget and WIDGET_MIME in widget:
                bundle[WIDGET_MIME] = widget[WIDGET_MIME]
        return bundle


def _live_view(view: RunView) -> LiveView | None:
    """The live view, or None where ipywidgets is missing or nothing can move any more."""
    try:
        return LiveView(view)
    except ImportError:
        return None


class LiveView:
    """The widgets, and the task that feeds them from the service's stream of graphs."""

    def __init__(self, view: RunView) -> None:
        import ipywidgets as widgets

        self._view = view
        self._table = widgets.HTML(graph_html(view.graph))
        self._bar = widgets.IntProgress(min=0, max=1, layout=widgets.Layout(width="24em"))
        self._stop = widgets.Button(description="Stop", icon="stop", tooltip="Stop this run")
        self._retry = widgets.Button(
            description="Retry", icon="redo", tooltip="Run the failed steps again"
        )
        self._message = widgets.HTML()
        self._stop.on_click(lambda _: self._act(view.desk.terminate(view.run_id)))
        self._retry.on_click(lambda _: self._act(view.desk.retry(view.run_id), follow=True))
        bar = widgets.HBox([self._bar, self._stop, self._retry])
        self.box = widgets.VBox([self._table, bar, self._message])
        self._following = False
        self._show(view.graph)
        self._follow()

    def _act(self, coroutine: Any, *, follow: bool = False) -> None:
        try:
            runs.wait(coroutine)
            self._message.value = ""
        except PipelinesError as error:
            self._say(error)
        else:
            if follow:
                self._follow()

    def _say(self, error: PipelinesError) -> None:
        from html import escape

        self._message.value = f"<p>{escape(error.message)} {escape(error.next_step)}</p>"

    def _show(self, graph: RunGraph) -> None:
        progress = graph.run.progress
        final = graph.run.state.final
        self._table.value = graph_html(graph)
        if progress is not None and progress.total:
            self._bar.max, self._bar.value = progress.total, progress.done
        self._bar.bar_style = (
            "danger" if graph.run.state.value == "FAILED" else "success" if final else ""
        )
        self._stop.disabled = final
        self._retry.disabled = graph.run.state.value not in {"FAILED", "CANCELED"}

    def _follow(self) -> None:
        if not self._following:
            self._following = True
            asyncio.run_coroutine_threadsafe(self._feed(), runs.loop())

    async def _feed(self) -> None:
        try:
            async for graph in self._view.desk.follow(self._view.run_id):
                self._view.graph = graph
                self._show(graph)
        except PipelinesError as error:
            self._say(error)
        finally:
            self._following = False
