"""Forms and links of a login page, as far as signing in without a browser needs them; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Form:
    """A form with the values that its fields begin with, and the kind of each field."""

    action: str = ""
    method: str = "get"
    fields: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)

    def first(self, *kinds: str) -> str | None:
        """The name of the first field of one of these kinds."""
        return next((name for name, kind in self.kinds.items() if kind in kinds), None)


@dataclass
class Page:
    """What can be done on a page."""

    forms: list[Form] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


def read_page(html: str) -> Page:
    """The forms and links of a page, in its order."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.page


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._form: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and given.get("href"):
            self.page.links.append(given["href"])
        elif tag == "form":
            method = given.get("method", "get").lower()
            self._form = Form(given.get("action", ""), method)
            self.page.forms.append(self._form)
        elif tag in ("input", "button") and self._form is not None and given.get("name"):
            kind = given.get("type", "submit" if tag == "button" else "text").lower()
            if kind in ("checkbox", "radio") and "checked" not in given:
                return  # a browser would not send it
            self._form.fields.setdefault(given["name"], given.get("value", ""))
            self._form.kinds.setdefault(given["name"], kind)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
