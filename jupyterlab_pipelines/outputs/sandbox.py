"""Untrusted HTML as a MIME bundle: a type of our own, and two nested sandboxed frames as fallback.

A frame can always navigate itself, so one frame is not enough: the inner one holds the document,
and the outer one's policy (`frame-src 'none'`) stops the inner one from going anywhere.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HTML_MIME = "application/vnd.jupyterlab-pipelines.html+json"

#: What a sandboxed document may do: run its own scripts and show what it carries, nothing else.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; media-src data:; "
    "connect-src 'none'; form-action 'none'; base-uri 'none'"
)
_FRAME = (
    '<iframe sandbox="allow-scripts" referrerpolicy="no-referrer" allow="" '
    'title="{title}" style="border: 0; width: 100%; height: {height}" srcdoc="{document}"></iframe>'
)
_MPLD3 = re.compile(r"mpld3[_.](load_lib|draw_figure)")


def html_bundle(html: str, title: str = "Output", height: str = "480px") -> dict[str, Any]:
    """The bundle of a document or fragment. The bare document is in no fallback."""
    document = with_local_scripts(html)
    return {
        HTML_MIME: {"html": document},
        "text/html": sandboxed(document, title, height),
        "text/plain": f"<{title}: HTML, {len(html)} characters>",
    }


def sandboxed(html: str, title: str, height: str) -> str:
    """The document in two nested frames, for a page that knows nothing of our type."""
    inner = _with_policy(html, POLICY)
    frame = _FRAME.format(title=escape(title), height="100vh", document=escape(inner))
    outer = _with_policy(f'<body style="margin: 0">{frame}</body>', f"{POLICY}; frame-src 'none'")
    return _FRAME.format(title=escape(title), height=height, document=escape(outer))


def _with_policy(html: str, policy: str) -> str:
    """The policy comes first: a policy only governs what follows it."""
    return (
        '<!DOCTYPE html><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">{html}'
    )


def with_local_scripts(html: str) -> str:
    """An mpld3 page with d3 and mpld3 in it, instead of fetched from a network it cannot reach."""
    if not _MPLD3.search(html):
        return html
    scripts = "".join(f"<script>{script}</script>" for script in _mpld3_scripts())
    return scripts + html


@lru_cache(maxsize=1)
def _mpld3_scripts() -> tuple[str, ...]:
    """d3, then mpld3, as the installed package ships them. Empty where it is not installed."""
    spec = find_spec("mpld3")
    if spec is None or not spec.submodule_search_locations:
        return ()
    folder = Path(spec.submodule_search_locations[0]) / "js"
    found = [sorted(folder.glob(pattern)) for pattern in ("d3.*.min.js", "mpld3.*.min.js")]
    # `</script>` inside a string would end the element.
    return tuple(
        files[-1].read_text(encoding="utf-8").replace("</script", "<\\/script")
        for files in found
        if files
    )
