"""`<connection>/`: the page behind the link that kfp prints; it opens the run in the lab."""

from __future__ import annotations

import asyncio
import json
import secrets
from html import escape

from jupyter_server.utils import url_path_join

from .base import Door, allowed

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Pipelines</title></head><body>
<p><a href="{lab}">Open JupyterLab</a></p>
<script nonce="{nonce}">
const lab = {lab_json}, connection = {connection_json};
const run = /^#\\/runs\\/details\\/([A-Za-z0-9._-]+)/.exec(location.hash);
location.replace(run ? lab + '?pipelines-run=' + connection + '/' + run[1] : lab);
</script></body></html>
"""


class LinkHandler(Door):
    """Turns `#/runs/details/<id>` into the lab with that run; a hash never reaches the server."""

    navigable = True
    _nonce = ""

    @property
    def content_security_policy(self) -> str:
        if not self._nonce:
            self._nonce = secrets.token_urlsafe(16)
        return f"default-src 'none'; script-src 'nonce-{self._nonce}'; frame-ancestors 'none'"

    async def prepare(self) -> None:  # type: ignore[override]
        await super().prepare()
        self.check_origin()

    @allowed("read")
    async def get(self, connection: str) -> None:
        await asyncio.to_thread(self.connections.settings, connection)  # unknown: 404
        lab = url_path_join(self.base_url, "lab")
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(
            _PAGE.format(
                lab=escape(lab, quote=True),
                nonce=self._nonce,
                lab_json=_script_json(lab),
                connection_json=_script_json(connection),
            )
        )


def _script_json(text: str) -> str:
    """JSON that no `</script>` can end."""
    return json.dumps(text).replace("<", "\\u003c")
