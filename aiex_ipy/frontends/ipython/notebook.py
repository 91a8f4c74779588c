"""A request shown in a notebook: one output, redrawn as words come, kept in its last form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from aiex_ipy.frontends.ipython.display import rich_bundle
from aiex_ipy.operations.base import Speaking
from aiex_ipy.render.results import Format, render, tail
from aiex_ipy.render.safe import escape, plain, safe_markdown

if TYPE_CHECKING:
    from aiex_ipy.frontends.ipython.session import Session

LEAST_SETTLED = 1_000
"""Characters read again at each redraw rather than joined to what is settled."""
FENCE = re.compile(r"^ {0,3}(?:`{3}|~{3})", re.MULTILINE)


class GrowingMarkdown:
    """Makes a text that grows safe again and again, reading what is settled only once.

    It is for redraws: where a list or a quotation spans blank lines, the form of the whole may
    differ, which the last update has.
    """

    def __init__(self) -> None:
        safe_markdown("")  # its parser is imported while the model is waited for
        self._settled: list[str] = []
        self._upto = 0

    def markdown(self, text: str) -> str:
        """Return safe Markdown of `text`, which begins with the text of the call before."""
        rest = text[self._upto :]
        end = rest.rfind("\n\n")
        if end > LEAST_SETTLED and len(FENCE.findall(rest, 0, end)) % 2 == 0:
            self._settled.append(safe_markdown(rest[:end]).rstrip())
            self._upto += end
            rest = rest[end:]
        return "\n\n".join([*self._settled, safe_markdown(rest)])


class NotebookScreen:
    """Publishes one display with Markdown and text, and updates it by its id.

    What is saved is the last update, which needs no kernel. A front end that knows no updates
    shows the first. In the formats json and html only the result is shown.
    """

    def __init__(self, session: Session, output: str | None) -> None:
        self.changed = False
        self.facts_alone: Any = None
        self._publisher = session.shell.display_pub
        self._format = cast(Format | None, output)
        self._streams = output not in ("json", "html")
        self._display_id = ""
        self._safe = GrowingMarkdown()
        self._facts: dict[str, str] = {}
        self._words: list[str] = []
        self._status = ""

    def note(self, line: str) -> None:
        """Show a line of progress below."""
        self._status = line
        self.changed = self.changed or bool(self._display_id)

    def speaking(self, who: Speaking) -> None:
        """Keep who will speak, for the line before the words."""
        self._status = f"{who.model or 'a model'} ({who.provider})"
        self.changed = self.changed or bool(self._facts)

    def words(self, text: str) -> None:
        """Add words."""
        if self._streams:
            self._words.append(text)
            self.changed = True

    def facts(self, result: Any) -> None:
        """Show the result so far, without its last paragraph: it says that no model was asked."""
        self.facts_alone = result
        if self._streams:
            self._facts = {
                "text/markdown": render(result, "markdown").rstrip().rpartition("\n\n")[0],
                "text/plain": render(result, "text").removesuffix(tail(result)).rstrip(),
            }
            self._status = "Asking a model …"
            self.changed = True

    def show(self) -> int:
        """Publish what there is so far."""
        said = "".join(self._words)
        status = f"*{escape(self._status)}*" if self._status else ""
        markdown = (self._facts.get("text/markdown", ""), status, self._safe.markdown(said))
        text = (self._facts.get("text/plain", ""), plain(self._status), plain(said))
        data = {
            "text/markdown": "\n\n".join(part for part in markdown if part),
            "text/plain": "\n\n".join(part for part in text if part),
        }
        self._publish(data, last=False)
        return sum(len(part) for part in data.values())

    def finish(self, result: Any) -> None:
        """Publish the result in the place of all before."""
        self._publish(self._bundle(result), last=True)

    def stop(self, why: str) -> None:
        """Publish the facts, the words so far and why they end; without any, nothing."""
        if not self._streams:
            if self.facts_alone is not None:
                self.finish(self.facts_alone)
        elif self._words or self._facts or self._display_id:
            self._status = f"{self._status}, {why}".removeprefix(", ")
            self.show()

    def _bundle(self, result: Any) -> dict[str, str]:
        """The result in the form asked for. Front ends take the richest they know."""
        text = render(result, "text").rstrip("\n")
        if self._format == "json":
            return {"text/plain": render(result, "json")}
        if self._format == "text":
            return {"text/plain": text}
        if self._format == "html":
            return {"text/html": render(result, "html"), "text/plain": text}
        if self._format == "markdown":
            return {"text/markdown": render(result, "markdown"), "text/plain": text}
        return rich_bundle(result)

    def _publish(self, data: dict[str, str], *, last: bool) -> None:
        if self._format == "text":
            data = {"text/plain": data["text/plain"]}
        update = bool(self._display_id)
        if not update and not last:
            from os import urandom

            self._display_id = urandom(16).hex()
        transient = {"display_id": self._display_id} if self._display_id else None
        self._publisher.publish(data, transient=transient, update=update)
        self.changed = False
