"""The run list: what Kubeflow can filter and sort itself, and what is done here for it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from ...errors import BadInput, Forbidden
from ...models import Run, RunPage, RunQuery
from .endpoint import RETRIES, Endpoint
from .messages import run_from_json, understood
from .pipeline_names import PipelineNames
from .run_index import RunIndex

RUNS = "/apis/v2beta1/runs"
#: Kubeflow's own largest page.
_PAGE = 200
_SORTED_THERE = {"created_at", "finished_at", "display_name", "state"}


class Listing:
    """Pages of an endpoint's runs."""

    def __init__(self, endpoint: Endpoint, namespace: str) -> None:
        self._endpoint = endpoint
        self._namespace = namespace
        self._index = RunIndex(self._read_page)
        self._names = PipelineNames(endpoint)

    def close(self) -> None:
        """Ends what is read in the background."""
        self._index.close()

    async def try_out(self) -> None:
        """Asks for one run, once. Raises what keeps this user from listing them."""
        await self._get([("page_size", "1")], None, retries=0)

    async def page(self, query: RunQuery) -> RunPage:
        """One page. Raises BadInput on a page token of another query."""
        if query.pipeline_name is None and query.sort_by in _SORTED_THERE:
            return await self._page_from_there(query)
        return await self._page_from_here(query)

    async def fetch(
        self, predicates: list[dict[str, Any]], size: int = _PAGE, pages: int = 1
    ) -> tuple[list[dict[str, Any]], bool]:
        """Runs as JSON by Kubeflow's own filter, the newest first, and whether there are more.

        At most `pages` pages of `size` runs are asked for.
        """
        parameters = [("sort_by", "created_at desc"), *_filter(predicates)]
        runs: list[dict[str, Any]] = []
        for _ in range(pages):
            answer = await self._get([("page_size", str(size)), *parameters], None)
            runs += _runs(answer)
            token = str(answer.get("next_page_token") or "")
            if not token:
                return runs, False
            parameters = [("page_token", token)]  # it holds sort and filter
        return runs, True

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
            runs=await self.read(_runs(answer)),
            next_page_token=_make_token(query, following) if following else "",
            total_size=total if isinstance(total, int) else None,
        )

    async def _page_from_here(self, query: RunQuery) -> RunPage:
        """Kubeflow cannot sort by duration nor filter by the pipeline's name."""
        start = _read_token(query, int) if query.page_token else 0
        await self._index.bring_up_to_date()
        runs, matching = await self._index.select(query, start)
        end = start + query.page_size
        known = self._index.size
        return RunPage(
            runs=runs,
            next_page_token=_make_token(query, end) if end < matching else "",
            total_size=matching if self._index.complete else None,
            note=""
            if self._index.complete
            else f"Sorted and filtered among the newest {known:,} runs; the others are being read. "
            "Refresh to see more.",
        )

    async def _read_page(
        self, predicates: Sequence[dict[str, Any]], token: str, size: int
    ) -> tuple[list[Run], str]:
        """Runs, newest first, on from the token if there is one; and the next page's token."""
        parameters = [("page_size", str(size))]
        if token:
            parameters.append(("page_token", token))  # it holds sort and filter
        else:
            parameters += [("sort_by", "created_at desc"), *_filter(list(predicates))]
        answer = await self._get(parameters, None)
        return await self.read(_runs(answer)), answer.get("next_page_token") or ""

    async def _get(
        self,
        parameters: list[tuple[str, str]],
        experiment_id: str | None,
        retries: int = RETRIES,
    ) -> dict[str, Any]:
        if experiment_id:
            parameters.append(("experiment_id", experiment_id))
        elif self._namespace:
            parameters.append(("namespace", self._namespace))
        try:
            return await self._endpoint.json("GET", RUNS, query=parameters, retries=retries)
        except Forbidden:
            if experiment_id or not self._namespace:  # whose it is was not said
                raise
            raise Forbidden(
                f"You may not list runs in namespace {self._namespace} of {self._endpoint.host}.",
                next_step="Choose another namespace, or ask its owner for access.",
            ) from None

    async def read(self, runs: list[dict[str, Any]]) -> list[Run]:
        """Runs as JSON to runs, with the names of their pipelines. Raises BadUpstream."""
        found = understood(
            self._endpoint.host,
            "a run",
            lambda: [run_from_json(run, self._namespace) for run in runs],
        )
        await self._names.fill_in(found)
        return found


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
