"""Takes out of a log what Argo's own executor says in it: a pod's log has it, its archive not."""

from __future__ import annotations

import re

#: Its lines, which may begin behind a last line of the step's that has no end.
_OWN = re.compile(
    rb'time=(?:"[^"\r\n]*"|\d[^\s"]*) level=\w+ msg=[^\n]* argo=true(?:[ \r][^\n]*)?(?:\n|\Z)'
)
#: An end that may become such a line.
_BEGUN = re.compile(rb't(?:i(?:m(?:e(?:=(?:["\d][^\r\n]*)?)?)?)?)?\Z')
#: The longest such end that is waited for, in bytes.
_LONGEST = 8 << 10


class StepsOwn:
    """What the step itself has printed, out of pieces that may end anywhere."""

    def __init__(self) -> None:
        self._kept = b""

    def passed(self, piece: bytes) -> bytes:
        """What is certain by now to be the step's."""
        text = self._kept + piece
        line = max(text.rfind(b"\n") + 1, len(text) - _LONGEST)
        begun = _BEGUN.search(text, line)
        end = len(text) if begun is None else begun.start()
        self._kept = text[end:]
        return _OWN.sub(b"", text[:end])

    def rest(self) -> bytes:
        """What is the step's where nothing follows."""
        return _OWN.sub(b"", self._kept)
