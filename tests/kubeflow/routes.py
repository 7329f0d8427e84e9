"""A table of paths: `{name}` stands for one segment, and verbs follow a colon."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from .http import UNIMPLEMENTED, Answer, Refusal, Request

Handler = Callable[..., Awaitable["Answer | dict[str, Any]"]]


class Routes:
    """Handlers by verb and path; a handler takes the request and the path's values."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []

    def add(self, method: str, path: str, handler: Handler) -> None:
        """One more route."""
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/:]+)", re.escape(path))
        self._routes.append((method, re.compile(pattern), handler))

    async def __call__(self, request: Request) -> Answer | None:
        """The answer; null where no route has this path. Raises Refusal on another verb."""
        known = False
        for method, pattern, handler in self._routes:
            match = pattern.fullmatch(request.path)
            if match is None:
                continue
            known = True
            if method == request.method:
                values = {name: unquote(text) for name, text in match.groupdict().items()}
                answer = await handler(request, **values)
                return answer if isinstance(answer, Answer) else Answer.json(answer)
        if known:
            raise Refusal(UNIMPLEMENTED, "Method Not Allowed")
        return None
