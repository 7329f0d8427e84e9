"""Turns a task's artifacts into MIME bundles, as a notebook's outputs hold them; pure.

One kind a file, in the order of the registry: the first that recognises an artifact renders it.
What cannot be shown becomes an Output whose `error` says why; nothing raises.
"""

from __future__ import annotations

from .registry import content_limit, render
from .sandbox import HTML_MIME

__all__ = ["HTML_MIME", "content_limit", "render"]
