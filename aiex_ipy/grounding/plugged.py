"""Issues from analyzers that other packages provide (entry-point group `aiex.analyzers`).

They are shown beside our own and never move the score: it must be the same wherever it is
computed, with or without the package. They are asked for by name (`analyze.analyzers`), so that
the installed packages are not searched on every start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import structs

from aiex_ipy.errors import PluginError
from aiex_ipy.grounding.facts import SCORED_SOURCES, Analyzer, Issue, Subject

GROUP = "aiex.analyzers"


def plugin_issues(names: Iterable[str], subjects: Sequence[Subject]) -> dict[str, list[Issue]]:
    """Return the issues of the named analyzers by subject path; `source` is the analyzer's name.

    Issues on paths that are no subject are dropped.

    Raises:
        UnknownNameError: no package provides the name.
        PluginError: the analyzer cannot be loaded, or failed.
    """
    found: dict[str, list[Issue]] = {subject.path: [] for subject in subjects}
    for name in names:
        analyzer = _load(name)
        try:
            issues = [i for i in analyzer.issues(subjects) if isinstance(i, Issue)]
        except Exception as error:
            raise PluginError(
                f"The analyzer {name!r} failed: {error!r}.",
                hint="Update the package that provides it, or take it out of analyze.analyzers.",
            ) from error
        for issue in issues:
            if issue.path in found:
                found[issue.path].append(structs.replace(issue, source=name))
    return found


def _load(name: str) -> Analyzer:
    from aiex_ipy.plugins import load

    if name in SCORED_SOURCES:
        raise PluginError(
            f"{name!r} is an analyzer of aiex itself.",
            hint="Take it out of analyze.analyzers: it runs anyway.",
        )
    made = load(GROUP, name)
    analyzer: Analyzer = made() if isinstance(made, type) else made
    if not callable(getattr(analyzer, "issues", None)):
        raise PluginError(
            f"The analyzer {name!r} has no method 'issues'.",
            hint="Update the package that provides it, or take it out of analyze.analyzers.",
        )
    return analyzer
