"""The run list: what Kubeflow can filter and sort itself, and what is done here for it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

from ...errors import BadInput
from ...models import Run, RunPage, RunQuery
from .endpoint import Endpoint
from .messages import run_from_json, understood

RUNS = "/apis/v2beta1/runs"
#: Kubeflow's own largest page, and the most that is read where filters must be applied here.
_PAGE = 200
_MOST = 4000
_SORTED_THERE = {"created_at", "finished_at", "display_name", "state"}
_LONGEST = timedelta.max


class Listing:
    """Pages of an endpoint's runs."""

    def __init__(self, endpoint: Endpoint, namespace: str) -> None:
        self._endpoint = endpoint
        self._namespace = namespace

    async def page(self, query: RunQuery) -> RunPage:
        """One page. Raises BadInput on a page token of another query."""
        if query.pipeline_name is None and query.sort_by in _SORTED_THERE:
            return await self._page_from_there(query)
        return await self._page_from_here(query)

    async def fetch(
        self, predicates: list[dict[str, Any]], sort_by: str, size: int = _PAGE
    ) -> list[dict[str, Any]]:
        """One page of runs as JSON, by Kubeflow's own filter and sort."""
        answer = await self._get(
            [("page_size", str(size)), ("sort_by", sort_by), *_filter(predicates)], None
        )
        return _runs(answer)

    async def _page_from_there(self, query: RunQuery) -> RunPage:
        token = _read_token(query, str) if query.page_token else ""
        parameters = [("page_size", str(query.page_size))]
        if token:
            parameters.append(("page_token", token))  # it holds sort and filter
        else:
            direction = "desc" if query.descending else "asc"
            parameters.append(("sort_by", f"{query.sort_by} {direction}"))
            parameters.extend(_filter(_predicates(query)))
        answer = await self._get(parameters, query.experiment_id)
        following = answer.get("next_page_token") or ""
        total = answer.get("total_size")
        return RunPage(
            runs=self._read(_runs(answer)),
            next_page_token=_make_token(query, following) if following else "",
            total_size=total if isinstance(total, int) else None,
        )

    async def _page_from_here(self, query: RunQuery) -> RunPage:
        """Kubeflow cannot sort by duration nor filter by the pipeline's name."""
        start = _read_token(query, int) if query.page_token else 0
        found = [
            run
            async for run in self._all(query)
            if query.pipeline_name in (None, run.pipeline_name)
        ]
        found.sort(key=lambda run: _sort_key(run, query.sort_by), reverse=query.descending)
        end = start + query.page_size
        return RunPage(
            runs=found[start:end],
            next_page_token=_make_token(query, end) if end < len(found) else "",
            total_size=len(found),
        )

    async def _all(self, query: RunQuery) -> AsyncIterator[Run]:
        token, read = "", 0
        while read < _MOST:
            parameters = [("page_size", str(_PAGE))]
            if token:
                parameters.append(("page_token", token))
            else:
                parameters += [("sort_by", "created_at desc"), *_filter(_predicates(query))]
            answer = await self._get(parameters, query.experiment_id)
            for run in self._read(_runs(answer)):
                read += 1
                yield run
            token = answer.get("next_page_token") or ""
            if not token:
                return

    async def _get(
        self, parameters: list[tuple[str, str]], experiment_id: str | None
    ) -> dict[str, Any]:
        if experiment_id:
            parameters.append(("experiment_id", experiment_id))
        elif self._namespace:
            parameters.append(("namespace", self._namespace))
        return await self._endpoint.json("GET", RUNS, query=parameters)

    def _read(self, runs: list[dict[str, Any]]) -> list[Run]:
        return understood(
            self._endpoint.host,
            "a run",
            lambda: [run_from_json(run, self._namespace) for run in runs],
        )


def state_in(states: list[str]) -> dict[str, Any]:
    """The predicate of runs in one of these states."""
    return {"key": "state", "operation": "IN", "string_values": {"values": states}}


def _runs(answer: dict[str, Any]) -> list[dict[str, Any]]:
    runs = answer.get("runs") or []
    return [run for run in runs if isinstance(run, dict)] if isinstance(runs, list) else []


def _predicates(query: RunQuery) -> list[dict[str, Any]]:
    stored = "ARCHIVED" if query.archived else "AVAILABLE"
    predicates: list[dict[str, Any]] = [
        {"key": "storage_state", "operation": "EQUALS", "string_value": stored}
    ]
    if query.name:
        predicates.append(
            {"key": "display_name", "operation": "IS_SUBSTRING", "string_value": query.name}
        )
    if query.states:
        predicates.append(state_in([state.value for state in query.states]))
    return predicates


def _filter(predicates: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Encoded, since Kubeflow decodes a filter once more than the query that it is in."""
    return [("filter", quote(json.dumps({"predicates": predicates})))] if predicates else []


def _sort_key(run: Run, sort_by: str) -> Any:
    """An unfinished run comes after all that ended."""
    if sort_by == "duration":
        start = run.started_at or run.created_at
        return _LONGEST if run.finished_at is None else run.finished_at - start
    if sort_by == "finished_at":
        return run.finished_at or datetime.max.replace(tzinfo=timezone.utc)
    if sort_by == "display_name":
        return run.display_name.casefold()
    return run.state.value if sort_by == "state" else run.created_at


def _digest(query: RunQuery) -> str:
    text = query.model_dump_json(exclude={"page_token", "page_size"})
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _make_token(query: RunQuery, value: str | int) -> str:
    return base64.urlsafe_b64encode(json.dumps([_digest(query), value]).encode()).decode()


def _read_token(query: RunQuery, kind: type[Any]) -> Any:
    try:
        digest, value = json.loads(base64.urlsafe_b64decode(query.page_token.encode()))
        if digest == _digest(query) and type(value) is kind:
            return value
    except (ValueError, TypeError, binascii.Error):
        pass
    raise BadInput(
        "The page token does not belong to this list.", next_step="Load the first page again."
    )
