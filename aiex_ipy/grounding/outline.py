"""Explanations in words: groups of one-line facts, chosen by level and focus.

| focus         | basic                        | intermediate adds       | advanced adds           |
|---------------|------------------------------|-------------------------|-------------------------|
| comprehensive | purpose, input, result,      | calls, conditions of    | all branches, names of  |
|               | errors, kinds of effects     | errors, lines, branches | outside, indirect facts |
| patterns      | names of patterns            | lines that show them    | protocols, overriding   |
| architecture  | what it needs, who needs it  | public names, uses      | layers, circles         |

Code in facts stands between backticks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from aiex_ipy.grounding.calling import CallFact
from aiex_ipy.grounding.effects import Effect
from aiex_ipy.grounding.explain import ModuleExplanation, SymbolExplanation
from aiex_ipy.grounding.flow import Branch
from aiex_ipy.grounding.patterns import Pattern
from aiex_ipy.grounding.raising import Raised

Level = Literal["basic", "intermediate", "advanced"]
Focus = Literal["comprehensive", "patterns", "architecture"]
AT_MOST = 40
"""Facts per group; the rest is counted in the last line."""


class FactGroup(Struct, frozen=True, kw_only=True):
    """Facts under one heading; never empty."""

    title: str
    facts: tuple[str, ...]


def outline(
    explained: SymbolExplanation | ModuleExplanation,
    *,
    level: Level = "intermediate",
    focus: Focus = "comprehensive",
) -> tuple[FactGroup, ...]:
    """Return the facts that level and focus ask for, in reading order, without empty groups."""
    depth = ("basic", "intermediate", "advanced").index(level)
    if isinstance(explained, SymbolExplanation):
        choose = {"patterns": _symbol_patterns, "architecture": _symbol_architecture}
        groups = choose.get(focus, _symbol_whole)(explained, depth)
    else:
        of_module = {"patterns": _module_patterns, "architecture": _module_architecture}
        groups = of_module.get(focus, _module_whole)(explained, depth)
    return tuple(FactGroup(title=title, facts=_bounded(facts)) for title, facts in groups if facts)


_Groups = list[tuple[str, list[str]]]


def _symbol_whole(e: SymbolExplanation, depth: int) -> _Groups:
    where = "" if e.path == e.name else f" in {e.path}"  # a live object's source stands alone
    what = [f"`{e.signature}` is {_a(e.kind)}{where}, lines {e.line}-{e.end_line}."]
    what += [e.purpose] if e.purpose else ["It has no docstring."]
    if depth:
        what += [f"Decorated with `@{decorator}`." for decorator in e.decorators]
        what.append(f"{e.statements} statements, cognitive complexity {e.cognitive}.")
    groups: _Groups = [("What it is", what), ("What goes in", _inputs(e, depth))]
    groups.append(("What comes out", _outputs(e)))
    if depth == 0:
        kinds = dict.fromkeys(f"It {effect.kind}." for effect in e.effects)
        groups.append(("What it does to the world", list(kinds) or ["Nothing is seen."]))
        errors = dict.fromkeys(f"`{error.name}`" for error in e.raises if not error.caught)
        groups.append(("What can go wrong", list(errors)))
        return groups
    groups.append(("What it does to the world", _effects(e.effects) or ["Nothing is seen."]))
    groups.append(("Errors it raises", [_error(error) for error in e.raises]))
    groups.append(("Calls", [_call(call) for call in e.callees]))
    groups.append(("Called by", [_caller(call) for call in e.callers]))
    groups.append(("Attributes", [_attribute(e, n) for n in range(len(e.attributes))]))
    groups.append(("Members", [_titled(m.signature, m.kind, m.purpose) for m in e.members]))
    shallow = [branch for branch in e.branches if depth == 2 or branch.depth <= 1]
    groups.append(("Ways through it", [_branch(branch, depth) for branch in shallow]))
    if depth == 2:
        groups += _symbol_depths(e)
    return groups


def _symbol_depths(e: SymbolExplanation) -> _Groups:
    outside = [f"reads `{name}`" for name in e.reads] + [f"binds `{name}`" for name in e.writes]
    caught = [
        f"line {c.line}: {', '.join(f'`{n}`' for n in c.names)}: {c.action}" for c in e.catches
    ]
    return [
        ("Names from outside", outside),
        ("Errors it handles", caught),
        ("Effects of what it calls", _effects(e.effects_through)),
        ("Errors of what it calls", [_error(error) for error in e.raises_through]),
        ("Recursion", ["It calls itself, directly or through others."] if e.recursive else []),
        ("Overrides", [f"`{name}`" for name in e.overrides]),
        ("Subclasses in the module", [f"`{name}`" for name in e.subclasses]),
        ("Can be used as", list(e.protocols)),
        ("Patterns", [_pattern(pattern, 1) for pattern in e.patterns]),
    ]


def _symbol_patterns(e: SymbolExplanation, depth: int) -> _Groups:
    found = [_pattern(pattern, depth) for pattern in e.patterns]
    groups: _Groups = [("Patterns", _once(found) or ["No known pattern is seen."])]
    if depth:
        groups.append(("Decorators", [f"`@{decorator}`" for decorator in e.decorators]))
        groups.append(("Can be used as", list(e.protocols)))
    if depth == 2:
        groups.append(("Bases", [f"`{base}`" for base in e.bases]))
        groups.append(("Overrides", [f"`{name}`" for name in e.overrides]))
        groups.append(("Subclasses in the module", [f"`{name}`" for name in e.subclasses]))
    return groups


def _symbol_architecture(e: SymbolExplanation, depth: int) -> _Groups:
    own = [call for call in e.callees if call.own]
    foreign = [call for call in e.callees if not call.own]
    groups: _Groups = [
        ("Place", [f"{e.path}, lines {e.line}-{e.end_line}: {_a(e.kind)}."]),
        ("Who needs it", [_caller(c) for c in e.callers] or ["Nobody among the files looked at."]),
        ("What it needs of its module", [f"`{call.name}`" for call in own]),
        ("What it needs from outside", [f"`{name}`" for name in _modules(foreign)]),
    ]
    if depth:
        groups.append(("Bases", [f"`{base}`" for base in e.bases]))
        groups.append(("Public members", [f"`{m.name}`" for m in e.members if _is_public(m.name)]))
        groups.append(("Boundaries it crosses", _effects(e.effects)))
    if depth == 2:
        groups.append(("Boundaries crossed by what it calls", _effects(e.effects_through)))
        groups.append(("Shared state", [f"`{name}`" for name in e.writes]))
        groups.append(("Calls from outside its module", [f"`{c.name}`" for c in foreign]))
    return groups


def _module_whole(e: ModuleExplanation, depth: int) -> _Groups:
    what = [f"`{e.name}` ({e.path}): {e.lines} lines, {e.statements} statements."]
    what += [e.purpose] if e.purpose else ["It has no docstring."]
    if e.script:
        what.append("It can be run as a program.")
    public = set(e.public)
    shown = [m for m in e.members if depth == 2 or m.name.partition(".")[0] in public]
    if depth == 0:
        shown = [m for m in shown if "." not in m.name]
    groups: _Groups = [
        ("What it is", what),
        (
            "What it offers",
            [_titled(m.signature if depth else m.name, m.kind, m.purpose) for m in shown],
        ),
        ("What it needs", [f"`{i.module}` ({i.origin})" for i in e.imports]),
    ]
    if depth:
        groups.append(("Constants", [f"`{c.name} = {c.value}`" for c in e.constants]))
        groups.append(("What it does to the world", _effects(e.effects)))
        groups.append(("Errors it raises", [f"`{name}`" for name in e.raises]))
        hard = sorted((m for m in e.members if m.cognitive > 7), key=lambda m: -m.cognitive)
        groups.append(("Hardest to follow", [f"`{m.name}`: {m.cognitive}" for m in hard[:8]]))
    if depth == 2:
        groups.append(("What importing it does", _effects(e.import_effects)))
        groups.append(("Layers of calls", _layers(e)))
        groups.append(("Recursive", [f"`{name}`" for name in e.recursive]))
        groups.append(("Patterns", [_pattern(pattern, 1) for pattern in e.patterns]))
    return groups


def _module_patterns(e: ModuleExplanation, depth: int) -> _Groups:
    found = [_pattern(pattern, depth) for pattern in e.patterns]
    groups: _Groups = [("Patterns", _once(found) or ["No known pattern is seen."])]
    if depth == 2:
        counts: dict[str, int] = {}
        for pattern in e.patterns:
            counts[pattern.name] = counts.get(pattern.name, 0) + 1
        groups.append(("How often", [f"{name}: {n}" for name, n in sorted(counts.items())]))
    return groups


def _module_architecture(e: ModuleExplanation, depth: int) -> _Groups:
    groups: _Groups = []
    for origin in ("project", "third party", "standard library"):
        needs = [i for i in e.imports if i.origin == origin]
        texts = [
            f"`{i.module}`"
            + (f", used {i.uses} times" if depth else "")
            + (", only inside functions" if depth and i.deferred else "")
            for i in needs
        ]
        groups.append((f"Needs from the {origin}".replace("the third", "third"), texts))
    groups.append(("Needed by", [f"`{name}`" for name in e.importers]))
    if depth:
        groups.append(("Public names", [f"`{name}`" for name in e.public]))
        groups.append(("Tested by", [f"`{name}`" for name in e.tests]))
        ways = ["It can be run as a program."] if e.script else []
        groups.append(("Ways in", ways))
    if depth == 2:
        groups.append(("Layers of calls", _layers(e)))
        groups.append(("Calls in a circle", [f"`{name}`" for name in e.recursive]))
        groups.append(("Boundaries it crosses", _effects(e.effects)))
        groups.append(("What importing it does", _effects(e.import_effects)))
    return groups


def _inputs(e: SymbolExplanation, depth: int) -> list[str]:
    found = []
    bound = "." in e.name
    for at, parameter in enumerate(e.parameters):
        if bound and at == 0 and parameter.name in ("self", "cls"):
            continue
        text = f"`{parameter.name}`"
        if parameter.annotation:
            text += f": `{parameter.annotation}`"
        if parameter.default is not None:
            text += f", `{parameter.default}` when left out"
        if depth and parameter.kind != "positional":
            text += f" ({parameter.kind})"
        found.append(text)
    return found


def _outputs(e: SymbolExplanation) -> list[str]:
    if e.kind == "class":
        return []
    found = [f"Declared: `{e.annotated_result}`."] if e.annotated_result else []
    for result in e.returns:
        verb = "Yields" if result.yields else "Returns"
        if not result.text:
            found.append("Returns nothing when it reaches its end.")
        elif result.kind in ("unknown", result.text):
            found.append(f"{verb} `{result.text}`, line {result.line}.")
        else:
            found.append(f"{verb} {result.kind}: `{result.text}`, line {result.line}.")
    return found


def _attribute(e: SymbolExplanation, number: int) -> str:
    attribute = e.attributes[number]
    text = f"`{attribute.name}`"
    if attribute.annotation:
        text += f": `{attribute.annotation}`"
    if attribute.value:
        text += f" = `{attribute.value}`"
    where = "in the class" if attribute.where == "class" else f"in `{attribute.where}`"
    return f"{text}, set {where}, line {attribute.line}"


def _effects(effects: Iterable[Effect]) -> list[str]:
    return [
        f"{effect.kind}: `{effect.target}`, line {effect.line}"
        + (f" of `{effect.via}`" if effect.via else "")
        for effect in effects
    ]


def _error(error: Raised) -> str:
    text = f"`{error.name}`" + (f" {_code(error.condition)}" if error.condition else "")
    text += f", line {error.line}" + (f" of `{error.via}`" if error.via else "")
    return text + (", caught in the same function" if error.caught else "")


def _code(condition: str) -> str:
    word, _, rest = condition.partition(" ")
    return f"{word} `{rest}`"


def _call(call: CallFact) -> str:
    where = "" if call.own else f" (`{call.defined}`)" if call.defined else " (from outside)"
    return f"`{call.name}`{where}, line {call.line}"


def _caller(call: CallFact) -> str:
    return f"`{call.name}` in {call.path}, line {call.line}"


def _branch(branch: Branch, depth: int) -> str:
    done = []
    uses = tuple(name for name in branch.reads if name not in branch.calls)
    for verb, texts in (
        ("uses", uses if depth == 2 else ()),
        ("sets", branch.assigns),
        ("calls", branch.calls),
        ("returns", branch.returns),
        ("raises", branch.raises),
    ):
        if texts:
            done.append(f"{verb} " + ", ".join(f"`{text}`" for text in texts[:6]))
    start = f"`{branch.condition}`" if branch.condition else "always"
    return "  " * branch.depth + f"{start}: " + ("; ".join(done) or "nothing of its own")


def _pattern(pattern: Pattern, depth: int) -> str:
    if depth == 0:
        return pattern.name
    text = f"{pattern.name}: `{pattern.symbol}`, line {pattern.line}: `{pattern.evidence}`"
    return f"{text} ({pattern.detail})" if depth == 2 and pattern.detail else text


def _layers(e: ModuleExplanation) -> list[str]:
    return [
        f"{number}: " + ", ".join(f"`{name}`" for name in layer)
        for number, layer in enumerate(e.layers, 1)
    ]


def _modules(calls: Iterable[CallFact]) -> list[str]:
    return list(dict.fromkeys(call.name.rpartition(".")[0] or call.name for call in calls))


def _titled(signature: str, kind: str, purpose: str) -> str:
    return f"`{signature}` ({kind})" + (f": {purpose}" if purpose else "")


def _is_public(name: str) -> bool:
    last = name.rpartition(".")[2]
    return not last.startswith("_") or last.endswith("__")


def _once(facts: list[str]) -> list[str]:
    return list(dict.fromkeys(facts))


def _bounded(facts: list[str]) -> tuple[str, ...]:
    if len(facts) <= AT_MOST:
        return tuple(facts)
    return (*facts[: AT_MOST - 1], f"and {len(facts) - AT_MOST + 1} more")


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
