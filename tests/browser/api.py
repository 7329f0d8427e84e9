"""The lab's HTTP API, asked by a test beside the browser, as a user's own script would."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from tests.browser.lab import Lab


class Api:
    """What is below `<base_url>pipelines/`; signed in by token, or as Kubeflow's labs want it."""

    def __init__(self, lab: Lab) -> None:
        self._http = httpx.Client(base_url=f"{lab.base_url}pipelines/", timeout=30, trust_env=False)
        if lab.token:
            self._http.headers["Authorization"] = f"token {lab.token}"
        else:
            self._http.get("connections").raise_for_status()
            self._http.headers["X-XSRFToken"] = self._http.cookies["_xsrf"]

    def __enter__(self) -> Api:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def submit(self, file: Path, name: str, connection: str = "local", **parameters: Any) -> str:
        """Start a compiled pipeline; the run's id."""
        order = {
            "pipeline": file.read_text(),
            "display_name": name,
            "parameters": parameters,
            "caching": False,
        }
        run_id: str = (
            self._http.post(f"{connection}/runs", json=order).raise_for_status().json()["run_id"]
        )
        return run_id

    def runs(self, connection: str = "local") -> list[dict[str, Any]]:
        """The newest runs."""
        found: list[dict[str, Any]] = self._get(f"{connection}/runs", page_size=200)["runs"]
        return found

    def graph(self, run_id: str, connection: str = "local") -> dict[str, Any]:
        """The run with the state of each task."""
        return self._get(f"{connection}/runs/{run_id}/graph")

    def has(self, run_id: str, connection: str = "local") -> bool:
        """Whether there is such a run."""
        return self._http.get(f"{connection}/runs/{run_id}").status_code == httpx.codes.OK

    def connections(self) -> str:
        """What the server tells of its connections, as it tells it."""
        return self._http.get("connections").raise_for_status().text

    def add_connection(self, name: str, host: str, **settings: Any) -> None:
        """Add a remote endpoint."""
        order = {"name": name, "host": host, **settings}
        self._http.post("connections", json=order).raise_for_status()

    def remove_connections(self) -> None:
        """Remove whatever was added."""
        for one in self._get("connections")["connections"]:
            if one["removable"]:
                self._http.delete(f"connections/{one['name']}").raise_for_status()

    def _get(self, path: str, **query: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._http.get(path, params=query).raise_for_status().json()
        return answer
