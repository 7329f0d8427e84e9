"""The names of pipelines that runs refer to by id: asked for once, not once a row."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from ...errors import Forbidden, NotFound, PipelinesError
from ...models import Run
from .endpoint import Endpoint

_AT_ONCE = 10
_KEPT = 10_000


class PipelineNames:
    """Fills in what a list of runs leaves out; a name that cannot be read stays empty."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._names: dict[str, str] = {}

    async def fill_in(self, runs: Sequence[Run]) -> None:
        """Gives each run of a version its pipeline's name."""
        nameless = [run for run in runs if run.pipeline_id and not run.pipeline_name]
        if len(self._names) > _KEPT:
            self._names.clear()
        named = {run.pipeline_id for run in nameless if run.pipeline_id}
        missing = sorted(named - self._names.keys())
        for first in range(0, len(missing), _AT_ONCE):
            part = missing[first : first + _AT_ONCE]
            await asyncio.gather(*[self._ask(one) for one in part])
        for run in nameless:
            run.pipeline_name = self._names.get(run.pipeline_id or "", "")

    async def _ask(self, pipeline_id: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", pipeline_id):
            return
        try:
            path = f"/apis/v2beta1/pipelines/{pipeline_id}"
            content = await self._endpoint.json("GET", path, retries=0)
        except (NotFound, Forbidden):
            self._names[pipeline_id] = ""  # deleted, or of another namespace
        except PipelinesError:
            return  # the list is worth more than a name
        else:
            name = content.get("display_name") or content.get("name")
            self._names[pipeline_id] = name if isinstance(name, str) else ""
