"""Cognitive complexity and plain counts of one module.

Source: complexipy 8.3, which follows G. A. Campbell, "Cognitive Complexity", SonarSource 2018.
"""

from __future__ import annotations

from aiex_ipy.grounding.complexity_engine import code_complexity
from aiex_ipy.grounding.facts import Issue, Severity, Unit
from aiex_ipy.grounding.parsed import ParsedModule

COGNITIVE_LIMIT = 15
"""A function above it is an issue. Source: complexipy's default `--max-complexity-allowed`."""

_SEVERITIES: tuple[tuple[int, Severity], ...] = ((60, "high"), (30, "medium"), (0, "low"))


def cognitive(module: ParsedModule) -> dict[int, int] | None:
    """Map the first line of each function (decorators included) to its cognitive complexity.

    None when complexipy cannot read what Python can (nesting beyond its limit, newer syntax).
    `# complexipy: ignore` is not honoured: a comment must not change a score.
    """
    if not module.scopes:
        return {}
    try:
        result = code_complexity()(module.text, no_ignore=True, with_plans=False)
    except ValueError:
        return None
    return {function.line_start: function.complexity for function in result.functions}


def complexity_issues(module: ParsedModule, units: tuple[Unit, ...]) -> list[Issue]:
    """Return an issue for each function whose complexity is above `COGNITIVE_LIMIT`.

    They are for readers: the score takes complexity from the units, never from these.
    """
    found = []
    for unit in units:
        for name, value in unit.cognitive.items():
            if value > COGNITIVE_LIMIT:
                line = unit.lines[name]
                symbol = name.partition("#")[0]
                found.append(
                    Issue(
                        severity=next(s for floor, s in _SEVERITIES if value > floor),
                        category="complexity",
                        rule="cognitive-complexity",
                        path=module.path,
                        line=line,
                        end_line=line,
                        message=f"Cognitive complexity {value} is above {COGNITIVE_LIMIT}",
                        evidence=module.line_text(line),
                        symbol=symbol,
                        source="complexipy",
                    )
                )
    return found


def unmeasured(module: ParsedModule) -> Issue:
    """Return the issue of a module complexipy gave up on, so that silence is never a gain."""
    return Issue(
        severity="high",
        category="complexity",
        rule="complexity-unmeasured",
        path=module.path,
        line=1,
        end_line=1,
        message="The nesting or syntax is beyond the complexity analyzer",
        evidence=module.line_text(1),
        source="complexipy",
    )


def counts(module: ParsedModule, units: tuple[Unit, ...]) -> dict[str, float]:
    """Return the plain numbers of a module, in a fixed order.

    Names ending in `_max`, `_mean` and `_share` cannot be added up over modules, the others can.
    `docstring_share` is the share of public functions, methods and classes with a
    docstring, 0-1 (1 when there are none); functions inside functions do not count.
    """
    values = [value for unit in units for value in unit.cognitive.values()]
    public = [s for s in module.scopes if s.public and not s.in_function]
    documented = sum(1 for scope in public if scope.documented)
    lines = module.lines
    total = len(lines) - 1 if lines and not lines[-1] else len(lines)
    blank = comments = 0
    for line in lines[:total]:
        bare = line.lstrip()
        if not bare:
            blank += 1
        elif bare[0] == "#":
            comments += 1
    return {
        "lines": float(total),
        "blank_lines": float(blank),
        "comment_lines": float(comments),
        "statements": float(module.statements),
        "functions": float(sum(1 for s in module.scopes if s.kind == "function")),
        "classes": float(sum(1 for s in module.scopes if s.kind == "class")),
        "imports": float(len(module.imports)),
        "cognitive_max": float(max(values, default=0)),
        "cognitive_mean": round(sum(values) / len(values), 2) if values else 0.0,
        "function_statements_max": float(
            max((n for unit in units for n in unit.lengths.values()), default=0)
        ),
        "docstring_share": round(documented / len(public), 3) if public else 1.0,
    }
