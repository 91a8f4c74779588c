"""An AI coding assistant that lives inside the Jupyter kernel.

Public names are loaded on first use, so that `import aiex` costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as `typing` has it; that module alone costs a third of a bare start
if TYPE_CHECKING:
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"

_PUBLIC = {
    "ask": "aiex_ipy.engine.functions:ask",
    "ask_async": "aiex_ipy.engine.functions:ask_async",
    "continue_answer": "aiex_ipy.engine.functions:continue_answer",
    "continue_answer_async": "aiex_ipy.engine.functions:continue_answer_async",
    "analyze": "aiex_ipy.engine.functions:analyze",
    "analyze_async": "aiex_ipy.engine.functions:analyze_async",
    "analyze_file": "aiex_ipy.engine.functions:analyze_file",
    "complete": "aiex_ipy.engine.functions:complete",
    "complete_async": "aiex_ipy.engine.functions:complete_async",
    "explain": "aiex_ipy.engine.functions:explain",
    "explain_async": "aiex_ipy.engine.functions:explain_async",
    "health": "aiex_ipy.engine.functions:health",
    "health_async": "aiex_ipy.engine.functions:health_async",
    "project": "aiex_ipy.engine.functions:project",
    "project_async": "aiex_ipy.engine.functions:project_async",
    "test_suggest": "aiex_ipy.engine.functions:test_suggest",
    "test_suggest_async": "aiex_ipy.engine.functions:test_suggest_async",
    "doc": "aiex_ipy.engine.functions:doc",
    "doc_async": "aiex_ipy.engine.functions:doc_async",
    "evaluate": "aiex_ipy.engine.evaluating:evaluate",
    "evaluate_async": "aiex_ipy.engine.evaluating:evaluate_async",
    "Chat": "aiex_ipy.engine.functions:Chat",
    "config": "aiex_ipy.engine.functions:config",  # here `aiex_ipy.config` is the package
    "debug": "aiex_ipy.engine.functions:debug",
    "debug_async": "aiex_ipy.engine.functions:debug_async",
    "debug_info": "aiex_ipy.engine.debug_info:debug_info",
    "render": "aiex_ipy.render.results:render",
    "describe": "aiex_ipy.grounding.live.describe:describe",
    "describe_names": "aiex_ipy.grounding.live.namespace:namespace",
    "register_describer": "aiex_ipy.grounding.live.registered:register_describer",
    "Answer": "aiex_ipy.messages:Answer",
    "Analysis": "aiex_ipy.operations.analyze:Analysis",
    "Completion": "aiex_ipy.operations.complete:Completion",
    "DebugReport": "aiex_ipy.operations.debug:DebugReport",
    "Documentation": "aiex_ipy.operations.doc:Documentation",
    "Evaluation": "aiex_ipy.operations.evaluate:Evaluation",
    "Explanation": "aiex_ipy.operations.explain:Explanation",
    "NotebookHealth": "aiex_ipy.operations.health:NotebookHealth",
    "ProjectSurvey": "aiex_ipy.operations.project:ProjectSurvey",
    "TestSuggestions": "aiex_ipy.operations.suggest_tests:TestSuggestions",
    "AiexError": "aiex_ipy.errors:AiexError",
    "errors": "aiex_ipy.errors:",
    "load_helpers": "aiex_ipy.frontends.ipython.helpers:load_helpers",
}
_EXTENSION = "aiex_ipy.frontends.ipython.extension"

__all__ = ["__version__", *_PUBLIC]


def public(name: str) -> Any:
    """Return the public object `aiex.<name>`, loading its module on first use.

    Raises AttributeError for a name that is not public.
    """
    if name not in _PUBLIC:
        raise AttributeError(f"module 'aiex' has no attribute {name!r}")
    return _load(_PUBLIC[name])


def _load(place: str) -> Any:
    """Load `module:attribute`, or the module itself, by name: it stands above this package."""
    import importlib

    module, _, attribute = place.partition(":")
    found = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found


def load_ipython_extension(shell: InteractiveShell) -> None:
    """`%load_ext aiex`: add the helpers and magics to this shell."""
    _load(f"{_EXTENSION}:load")(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """`%unload_ext aiex`: take away all that `%load_ext aiex` added."""
    _load(f"{_EXTENSION}:unload")(shell)
