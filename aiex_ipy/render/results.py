"""Results to text, Markdown, HTML or JSON. Pure: no input, no clock, no terminal."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Literal

from aiex_ipy.errors import UnknownNameError, near_miss

Format = Literal["text", "markdown", "html", "json"]
FORMATS: tuple[Format, ...] = ("text", "markdown", "html", "json")
RENDERERS = {
    "Analysis": "analysis",
    "Answer": "answer",
    "Completion": "completion",
    "DebugReport": "debugging",
    "Documentation": "documentation",
    "Evaluation": "evaluation",
    "Explanation": "explanation",
    "NotebookHealth": "health",
    "ProjectSurvey": "survey",
    "TestSuggestions": "suggestions",
    "Status": "standing",
}
"""Which module of this package renders which result; none is imported before its first."""
WITH_FIXES = ("DebugReport", "Evaluation")
"""Results that hold texts of the user's with the place of their file on this machine."""


def render(result: Any, format: Format = "text", *, symbols: bool = True) -> str:
    """Return `result` in `format`, ending in a newline.

    `symbols` False writes no character outside ASCII of our own (for terminals that are not
    UTF-8). Model text in text, Markdown and HTML has passed the allow-list of `render.safe`.
    Raises UnknownNameError for another format.
    """
    if format == "json":
        return to_json(result)
    if format not in FORMATS:
        raise UnknownNameError(f"There is no format {format!r}.", hint=near_miss(format, FORMATS))
    module = _module(result)
    if format == "html" and hasattr(module, "html"):
        pictured: str = module.html(result)
        return pictured
    if format == "text":
        words: str = module.text(result, symbols=symbols)
        return words
    markdown: str = module.markdown(result)
    if format == "markdown":
        return markdown
    from aiex_ipy.render.safe import to_html

    return to_html(markdown)


def has_picture(result: Any) -> bool:
    """True for results that HTML shows more of than Markdown: with a picture."""
    return hasattr(_module(result), "html")


def tail(result: Any, *, symbols: bool = True) -> str:
    """Return as text what is left to say once the facts and the model's words were shown."""
    words: str = _module(result).tail(result, symbols=symbols)
    return words


def _module(result: Any) -> ModuleType:
    from importlib import import_module

    name = next(
        RENDERERS[each.__name__] for each in type(result).__mro__ if each.__name__ in RENDERERS
    )
    return import_module(f"aiex_ipy.render.{name}")


def to_json(result: Any) -> str:
    """Return the result as JSON: keys in the record's order, no times, no absolute paths."""
    import msgspec

    if type(result).__name__ in WITH_FIXES:
        result = for_others(msgspec.to_builtins(result))
    return msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n"


def for_others(value: Any) -> Any:
    """Return built-in containers as they may be written down: the absolute path of each `file`
    emptied (a text to be fixed has its `path`, which is relative), and secret-looking literals of
    the user's code masked."""
    if isinstance(value, dict):
        return {
            key: "" if key == "file" and isinstance(each, str) else for_others(each)
            for key, each in value.items()
        }
    if isinstance(value, str):
        from aiex_ipy.redaction.shapes import mask_code

        return mask_code(value)
    return [for_others(each) for each in value] if isinstance(value, list | tuple) else value


def schema(result_type: Any) -> dict[str, Any]:
    """Return the JSON schema of a result type.

    Source: JSON Schema 2020-12 as msgspec writes it.
    """
    import msgspec

    return msgspec.json.schema(result_type)
