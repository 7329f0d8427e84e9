"""Asks each source of a run's graph for what can have changed, and lets one fail without harm."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ...errors import BadUpstream, Forbidden, NotFound, PipelinesError, UnsupportedFeature
from .building import built
from .endpoint import Endpoint
from .graph import Told, Workflow
from .messages import understood
from .mlmd import MetadataStore, Snapshot

T = TypeVar("T")

#: The most runs of which something is kept; `Readings` drops large ones sooner.
_KEPT = 8
#: Seconds that a source may take, and how long it is left alone where it failed or is not there.
_PATIENCE = 10.0
_PAUSE = 10.0
_LONG_PAUSE = 300.0
#: Seconds after which a workflow is read again although the run itself looks the same: a pod that
#: cannot begin shows nowhere else.
_STALE = 10.0


_GIVES = {
    "metadata": ("ML Metadata", "artifacts, inputs and outputs"),
    "workflow": ("The run's workflow", "attempts and the reasons of failures"),
}
_OFFLOADED = (
    "Argo keeps this workflow's nodes in a database of its own, so attempts and the reasons of "
    "failures are missing."
)


@dataclass(frozen=True)
class _Rest:
    """Until when a source is not asked, and why."""

    until: float
    reason: str


@dataclass(frozen=True)
class _Manifest:
    """A workflow as it was read, and what the run looked like then."""

    workflow: Workflow | None
    digest: str
    look: str
    at: float
    final: bool


class Sources:
    """ML Metadata and the workflow manifests of an endpoint; both beside its own answers."""

    def __init__(self, endpoint: Endpoint, ui: Endpoint | None = None) -> None:
        self._endpoint = endpoint
        self.metadata = MetadataStore(ui or endpoint)
        self._manifests: OrderedDict[str, _Manifest] = OrderedDict()
        self._last: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._resting: dict[tuple[str, str], _Rest] = {}
        self._under_way: dict[tuple[str, str], asyncio.Future[Any]] = {}

    async def tell(self, run_id: str, content: Mapping[str, Any], look: str, final: bool) -> Told:
        """What there is of a run besides its own answer; nothing where that has it all.

        `look` is the answer's fingerprint: Kubeflow writes it together with the workflow.
        """
        if content.get("tasks"):
            return Told(content, look=look)
        metadata, workflow = await asyncio.gather(
            self._ask("metadata", run_id, lambda: self.metadata.read(run_id)),
            self._ask("workflow", run_id, lambda: self._workflow(run_id, look, final)),
        )
        notes = tuple(self._notes(run_id, metadata, workflow))
        return Told(content, metadata, workflow, look, notes)

    def _notes(
        self, run_id: str, metadata: Snapshot | None, workflow: Workflow | None
    ) -> Iterator[str]:
        """What the user misses, and why."""
        for source, told in (("metadata", metadata), ("workflow", workflow)):
            rest = self._resting_of(source, run_id)
            # Runs of kfp 1 are not in ML Metadata anyway.
            elsewhere = source == "metadata" and workflow is not None and not workflow.is_v2
            if rest is not None and not elsewhere:
                name, gives = _GIVES[source]
                missing = "are missing" if told is None else "may be old"
                yield f"{name} cannot be read, so {gives} {missing}. {rest.reason}"
        if workflow is not None and workflow.offloaded:
            yield _OFFLOADED

    def forget(self, run_id: str) -> None:
        """The run was acted upon: its workflow may differ although it looks the same."""
        self._manifests.pop(run_id, None)

    def drop(self, run_id: str) -> None:
        """Nobody looks at the run any more: nothing of it is kept."""
        self.forget(run_id)
        self.metadata.forget(run_id)
        for source in _GIVES:
            self._last.pop((source, run_id), None)

    async def _ask(
        self, source: str, run_id: str, ask: Callable[[], Awaitable[T | None]]
    ) -> T | None:
        """What a source says now; where it fails, what it said last."""
        key = (source, run_id)
        rest = self._resting_of(source, run_id)
        patience = 0.0  # for what was too late once: it is taken when it has come
        task: asyncio.Future[T | None] | None = self._under_way.get(key)
        if task is None and rest is None:
            patience = _PATIENCE
            task = self._under_way[key] = asyncio.ensure_future(ask())
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        if task is not None:
            await asyncio.wait({task}, timeout=patience)
        last: T | None = self._last.get(key)
        if task is None:
            return last
        if not task.done():
            self._rest(source, _PAUSE, f"It has not answered for {_PATIENCE:.0f} s.")
            return last
        self._under_way.pop(key, None)
        try:
            found = task.result()
        except (NotFound, Forbidden, UnsupportedFeature) as error:
            self._rest(source, _LONG_PAUSE, error.message)
        except BadUpstream as error:
            self._rest(source, _PAUSE, error.message, run_id)  # other runs' may be well
        except PipelinesError as error:
            self._rest(source, _PAUSE, error.message)
        else:
            _remember(self._last, key, found)
            return found
        return last

    def close(self) -> None:
        """Gives up what is still being read."""
        for task in self._under_way.values():
            task.cancel()
        self._under_way.clear()

    def _rest(self, source: str, seconds: float, reason: str, run_id: str = "") -> None:
        """Leaves a source alone for a while; where there is a `run_id`, for this run only."""
        self._resting[source, run_id] = _Rest(time.monotonic() + seconds, reason)

    def _resting_of(self, source: str, run_id: str) -> _Rest | None:
        now = time.monotonic()
        self._resting = {key: one for key, one in self._resting.items() if now < one.until}
        return self._resting.get((source, "")) or self._resting.get((source, run_id))

    async def _workflow(self, run_id: str, look: str, final: bool) -> Workflow | None:
        kept = self._manifests.get(run_id)
        if kept is not None and kept.look == look:
            fresh = time.monotonic() - kept.at < _STALE
            if (kept.final and final) or (fresh and not final):
                return kept.workflow
        host = self._endpoint.host
        text = await self._endpoint.text("GET", f"/apis/v1beta1/runs/{run_id}", retries=1)
        digest = await asyncio.to_thread(fingerprint, text)
        if kept is not None and kept.digest == digest:
            workflow = kept.workflow
        else:
            workflow = await built(
                lambda: understood(
                    host, "a workflow", lambda: _workflow_of(self._endpoint.parsed(text))
                )
            )
        now = time.monotonic()
        _remember(self._manifests, run_id, _Manifest(workflow, digest, look, now, final))
        return workflow


def fingerprint(text: bytes) -> str:
    """By what an answer is known again without being parsed."""
    return hashlib.sha256(text).hexdigest()


def _workflow_of(detail: Mapping[str, Any]) -> Workflow | None:
    """The workflow in a run's answer of v1beta1; null where there is none."""
    manifest = (detail.get("pipeline_runtime") or {}).get("workflow_manifest")
    if not manifest:
        return None
    workflow = Workflow(manifest)
    _ = workflow.nodes  # unpacked here, on this thread, where an error is the source's
    return workflow


def _remember(memory: OrderedDict[Any, T], key: Any, value: T) -> None:
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > _KEPT:
        memory.popitem(last=False)
