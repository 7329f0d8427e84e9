"""Cells as a step: what to ask the kernel, what would run, and the order to run it."""

from __future__ import annotations

from pydantic import BaseModel, Field

from ..compiler import probe_source
from ..models import StepRequest
from .base import PipelinesHandler, allowed


class ProbeRequest(BaseModel):
    """Names of the variables and modules that the kernel is to be asked about."""

    names: list[str] = Field(max_length=1000)
    modules: list[str] = Field(default_factory=list, max_length=1000)


class ProbeHandler(PipelinesHandler):
    """Python source for the kernel; nothing runs here."""

    @allowed("read")
    async def post(self) -> None:
        asked = self.body(ProbeRequest)
        snapshots = self.connections.home / "local" / "snapshots"
        self.answer({"source": probe_source(asked.names, str(snapshots), asked.modules)})


class PlanHandler(PipelinesHandler):
    """What a selection would run as."""

    @allowed("read")
    async def post(self, connection: str) -> None:
        request = self.body(StepRequest)
        self.answer(await (await self.service(connection)).plan_step(request))


class RunStepHandler(PipelinesHandler):
    """Runs a selection as a step."""

    @allowed("execute")
    async def post(self, connection: str) -> None:
        request = self.body(StepRequest)
        self.answer(await (await self.service(connection)).submit_step(request), status=201)
