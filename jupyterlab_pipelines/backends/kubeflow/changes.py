"""What changed on an endpoint that keeps no record of changes: two looks are compared."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from ...errors import BadInput, NotFound
from ...models import State
from ..base import Changes
from .endpoint import Endpoint
from .listing import RUNS, Listing, state_in

logger = logging.getLogger(__name__)

_ACTIVE = [one.value for one in State if not one.final]
_WINDOW = 100
#: Pages of active runs, each as long as Kubeflow lets it be, that one look asks for.
_PAGES = 5
_KEPT = 32


@dataclass(frozen=True)
class _Look:
    """The newest runs and every active one: a fingerprint and the time of creation each.

    `oldest` is when the oldest of the newest was made; empty where all runs were seen.
    """

    seen: dict[str, tuple[str, str]]
    active: frozenset[str]
    oldest: str


class ChangeLog:
    """Cursors stand for looks that are remembered here; an old one that is not starts anew."""

    def __init__(self, endpoint: Endpoint, listing: Listing) -> None:
        self._endpoint = endpoint
        self._listing = listing
        self._looks: OrderedDict[str, _Look] = OrderedDict()
        self._numbers = itertools.count(1)
        self._overfull = False

    async def since(self, cursor: str | None) -> Changes:
        """Runs that look different from when `cursor` was given out."""
        if cursor is not None and cursor not in self._looks:
            raise BadInput("The cursor is not known.", next_step="Start without one.")
        before = None if cursor is None else self._looks[cursor]
        runs, look = await self._look()
        deleted: list[str] = []
        if before is not None:
            gone = before.seen.keys() - look.seen.keys()
            # One that newer runs pushed out of the window is not looked for.
            expected = {one for one in gone if before.seen[one][1] > look.oldest}
            for run_id in sorted(expected | (gone & before.active)):
                run = await self._still_there(run_id)
                if run is None:
                    deleted.append(run_id)
                else:
                    runs[run_id] = run
        changed = (
            []
            if before is None
            else [
                run
                for run_id, run in runs.items()
                if before.seen.get(run_id) != look.seen.get(run_id)
            ]
        )
        return Changes(
            cursor=self._remember(look),
            runs=await self._listing.read(changed),
            deleted=deleted,
            unsure=sorted(look.active),
        )

    async def _still_there(self, run_id: str) -> dict[str, Any] | None:
        """A run that is in neither list: it ended among older ones, or it was deleted (null)."""
        try:
            return await self._endpoint.json("GET", f"{RUNS}/{run_id}")
        except NotFound:
            return None

    async def _look(self) -> tuple[dict[str, dict[str, Any]], _Look]:
        newest, _ = await self._listing.fetch([], _WINDOW)
        active, more = await self._listing.fetch([state_in(_ACTIVE)], pages=_PAGES)
        self._say_if_overfull(more, len(active))
        runs = {str(run["run_id"]): run for run in [*active, *newest] if "run_id" in run}
        look = _Look(
            seen={
                run_id: (_fingerprint(run), str(run.get("created_at", "")))
                for run_id, run in runs.items()
            },
            active=frozenset(run_id for run_id, run in runs.items() if run.get("state") in _ACTIVE),
            oldest=str(newest[-1].get("created_at", "")) if len(newest) >= _WINDOW else "",
        )
        return runs, look

    def _say_if_overfull(self, more: bool, watched: int) -> None:
        """Says it once, and again only after it was over."""
        if more and not self._overfull:
            logger.warning(
                "%s has more than %d active runs. Changes of older ones show when the list is "
                "refreshed.",
                self._endpoint.host,
                watched,
            )
        self._overfull = more

    def _remember(self, look: _Look) -> str:
        cursor = str(next(self._numbers))
        self._looks[cursor] = look
        while len(self._looks) > _KEPT:
            self._looks.popitem(last=False)
        return cursor


def _fingerprint(run: dict[str, Any]) -> str:
    kept = {name: value for name, value in run.items() if name != "pipeline_spec"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
