"""Who calls whom: within a module, from other modules, in circles, in layers."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, structs

from aiex_ipy.grounding.names import Call, Names
from aiex_ipy.grounding.parsed import ParsedModule, Scope
from aiex_ipy.grounding.project import names_of


class CallFact(Struct, frozen=True, kw_only=True):
    """A call between functions. `name` is the other side: the callee's dotted name, or the
    caller's qualified name (`<module>` for module level); `own` when it is of this module.
    `defined` is what type inference says it is (`pathlib.Path.open`), `""` when not asked."""

    name: str
    line: int
    path: str
    own: bool = True
    defined: str = ""


def callees(names: Names, scope: Scope, *, infer_at_most: int = 0) -> list[CallFact]:
    """Return what a function or class calls, each once, in source order; not the methods of
    values without a name (`"{}".format`).

    Type inference is asked about the first `infer_at_most` calls that names alone do not tell.
    """
    first: dict[tuple[str, bool], Call] = {}
    for call in names.calls_of(scope.name):
        if not call.callee.startswith("?"):
            first.setdefault((call.callee, call.local), call)
    unclear = [call for call in first.values() if not _is_clear(names, call)]
    inferred = _inferred(names, unclear[:infer_at_most])
    return [
        CallFact(
            name=call.callee.lstrip("."),
            line=call.line,
            path=names.parsed.path,
            own=call.local,
            defined=inferred.get(call, ""),
        )
        for call in first.values()
    ]


def _is_clear(names: Names, call: Call) -> bool:
    """True when imports and definitions tell what is called: no local value stands in front."""
    scope = names.scopes.get(call.caller)
    first = call.callee.partition(".")[0]
    return call.local or "." not in call.callee or first not in names.locals_of(scope)


def _inferred(names: Names, calls: list[Call]) -> dict[Call, str]:
    if not calls:
        return {}
    from aiex_ipy.grounding.types import Types

    types = Types(structs.replace(names.parsed.subject, text=names.parsed.text))
    found: dict[Call, str] = {}
    for call in calls:
        function = call.node.func
        line, column = function.end_lineno or call.line, function.end_col_offset or 0
        before = names.parsed.lines[line - 1].encode()[:column].decode(errors="replace")
        meant = types.definitions(line, len(before))
        if meant and meant[0].kind in ("function", "class"):
            found[call] = meant[0].name
    return found


def callers(names: Names, scope: Scope) -> list[CallFact]:
    """Return which functions of the module call it, each once, in source order."""
    first: dict[str, Call] = {}
    for call in names.calls_to(scope.name):
        first.setdefault(call.caller, call)
    return [
        CallFact(name=caller or "<module>", line=call.line, path=names.parsed.path)
        for caller, call in first.items()
    ]


def callers_elsewhere(
    parsed: ParsedModule, scope: Scope, others: Sequence[ParsedModule]
) -> list[CallFact]:
    """Return which functions of other modules call it by an imported name, by path and line.

    Modules that were released are left out.
    """
    known = names_of([parsed, *others])
    wanted = f"{known[parsed.path]}.{scope.name}"
    top = scope.name.partition(".")[0]
    found: list[CallFact] = []
    for other in others:
        if other.tree is None or other.path == parsed.path or top not in other.text:
            continue
        package = known[other.path].split(".")
        if not other.path.endswith("__init__.py"):
            package.pop()
        seen: set[str] = set()
        for call in Names(other).calls:
            if not call.local and call.caller not in seen:
                if absolute(call.callee, package) != wanted:
                    continue
                seen.add(call.caller)
                name = call.caller or "<module>"
                found.append(CallFact(name=name, line=call.line, path=other.path, own=False))
    return found


def absolute(dotted: str, package: list[str]) -> str:
    """Resolve the leading dots of a name that came from a relative import in `package`."""
    bare = dotted.lstrip(".")
    up = len(dotted) - len(bare)
    return ".".join([*package[: len(package) - up + 1], bare]) if up else dotted


def is_recursive(names: Names, name: str) -> bool:
    """True when a function calls itself, directly or through others of the module."""
    return any(
        call.local and call.callee == name
        for reached in (name, *names.reached(name))
        for call in names.calls_of(reached)
    )


def layers(names: Names, symbols: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Order those of `symbols` that call or are called by the longest chain of calls leading to
    them: the first layer calls and is not called. Calls that close a circle do not count."""
    known = set(symbols)
    reached = {name: set(names.reached(name)) for name in symbols}
    direct = {
        name: {c.callee for c in names.calls_of(name) if c.local and c.callee in known} - {name}
        for name in symbols
    }
    depth = dict.fromkeys(symbols, 0)
    changed = True
    while changed:
        changed = False
        for name in symbols:
            for callee in direct[name]:
                if name not in reached[callee] and depth[callee] <= depth[name]:
                    depth[callee] = depth[name] + 1
                    changed = True
    called = {callee for found in direct.values() for callee in found}
    levels: dict[int, list[str]] = {}
    for name in symbols:
        if direct[name] or name in called:
            levels.setdefault(depth[name], []).append(name)
    return tuple(tuple(levels[level]) for level in sorted(levels))
