"""Facts that explain a module, class or function, read off the parse tree; no model needed.

Every record says where it was seen. Calls are resolved as far as names tell: `self.method`,
functions and classes of the module, imported names; what hangs on a value's type is not guessed.
"""

from __future__ import annotations

import ast
import symtable
import sys
from collections.abc import Sequence

from msgspec import Struct, structs

from aiex_ipy.errors import UnknownNameError, near_miss
from aiex_ipy.grounding import metrics
from aiex_ipy.grounding.calling import (
    CallFact,
    callees,
    callers,
    callers_elsewhere,
    is_recursive,
    layers,
)
from aiex_ipy.grounding.definitions import (
    Attribute,
    Member,
    Parameter,
    assignments,
    attribute,
    attributes,
    constructor,
    first_sentence,
    kind_of,
    member,
    parameters,
    signature,
)
from aiex_ipy.grounding.effects import Effect, effects_of, effects_through
from aiex_ipy.grounding.flow import Branch, Return, branches, cut, returns
from aiex_ipy.grounding.names import Function, Names, is_builtin
from aiex_ipy.grounding.parsed import ParsedModule, Scope
from aiex_ipy.grounding.patterns import Pattern, patterns, protocols
from aiex_ipy.grounding.project import relate
from aiex_ipy.grounding.python import PARSE_NAME
from aiex_ipy.grounding.raising import Caught, Raised, caught, raised


class SymbolExplanation(Struct, frozen=True, kw_only=True):
    """What is known of one function or class. Lines are those of the file.

    `purpose` is the docstring's first sentence, `""` without one. `effects_through` are those of
    called functions of the module. `reads` are names from outside that are used, `writes` those
    outside that are changed. The last six are for classes.
    """

    name: str
    kind: str
    path: str
    line: int
    end_line: int
    signature: str
    purpose: str
    docstring: str
    decorators: tuple[str, ...]
    statements: int
    cognitive: int
    parameters: tuple[Parameter, ...] = ()
    returns: tuple[Return, ...] = ()
    annotated_result: str = ""
    callers: tuple[CallFact, ...] = ()
    callees: tuple[CallFact, ...] = ()
    recursive: bool = False
    effects: tuple[Effect, ...] = ()
    effects_through: tuple[Effect, ...] = ()
    raises: tuple[Raised, ...] = ()
    raises_through: tuple[Raised, ...] = ()
    catches: tuple[Caught, ...] = ()
    branches: tuple[Branch, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    bases: tuple[str, ...] = ()
    subclasses: tuple[str, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    members: tuple[Member, ...] = ()
    protocols: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()


class ImportFact(Struct, frozen=True, kw_only=True):
    """A module this one needs. `origin` is `standard library`, `project` or `third party`; `uses`
    counts the places where a name that comes from it is used."""

    module: str
    origin: str
    line: int
    names: tuple[str, ...]
    uses: int
    deferred: bool = False


class ModuleExplanation(Struct, frozen=True, kw_only=True):
    """What is known of one module. `public` is `__all__`, or the names without underscore;
    `layers` orders its functions by who calls whom (the first call, the last are called),
    `recursive` are those that call themselves, directly or not; `import_effects` are what
    importing it does, `effects` those its functions have on the world outside their objects and
    arguments; `importers` and `tests` the modules that need it, among those given."""

    name: str
    path: str
    purpose: str
    docstring: str
    statements: int
    lines: int
    public: tuple[str, ...]
    members: tuple[Member, ...]
    constants: tuple[Attribute, ...]
    imports: tuple[ImportFact, ...]
    importers: tuple[str, ...]
    tests: tuple[str, ...]
    layers: tuple[tuple[str, ...], ...]
    recursive: tuple[str, ...]
    import_effects: tuple[Effect, ...]
    effects: tuple[Effect, ...]
    raises: tuple[str, ...]
    patterns: tuple[Pattern, ...]
    script: bool


def explain_symbol(
    parsed: ParsedModule,
    name: str,
    *,
    others: Sequence[ParsedModule] = (),
    infer_at_most: int = 0,
) -> SymbolExplanation:
    """Return the facts of the function or class `name` (qualified, or its last part if unique).

    `others` are modules, not released, in which callers are looked for too. jedi is asked what
    the first `infer_at_most` calls on local values mean; that may take seconds.

    Raises:
        UnknownNameError: the module has no such function or class.
    """
    names = Names(parsed)
    scope = find(names, name)
    complexity = metrics.cognitive(parsed) or {}
    facts = structs.replace(
        _common(names, scope, complexity, others),
        callees=tuple(callees(names, scope, infer_at_most=infer_at_most)),
    )
    if isinstance(scope.node, Function):
        return _of_function(facts, names, scope, scope.node)
    assert isinstance(scope.node, ast.ClassDef)
    return _of_class(facts, names, scope, scope.node, complexity)


def explain_module(
    parsed: ParsedModule, *, others: Sequence[ParsedModule] = ()
) -> ModuleExplanation:
    """Return the facts of a module that was parsed and not released.

    `others` are the modules around it; they may be released, and tell what is of the project.
    """
    names = Names(parsed)
    complexity = metrics.cognitive(parsed) or {}
    project = relate([parsed, *(other for other in others if other.path != parsed.path)])
    name = next(module.name for module in project.modules if module.path == parsed.path)
    docstring = ast.get_docstring(names.tree) or ""
    reachable = [scope for scope in parsed.scopes if not scope.in_function]
    tops = [scope for scope in reachable if scope.parent is None]
    symbols = [scope.name for scope in reachable if scope.key == scope.name]
    effects = [
        effect
        for scope in tops
        for effect in effects_of(names, scope)
        if effect.kind not in ("changes self", "changes argument")
    ]
    return ModuleExplanation(
        name=name,
        path=parsed.path,
        purpose=first_sentence(docstring),
        docstring=docstring,
        statements=parsed.statements,
        lines=len(parsed.lines) - (parsed.lines[-1:] == [""]),
        public=_public(names, tops),
        members=tuple(member(scope, complexity) for scope in reachable),
        constants=tuple(_constants(names)),
        imports=tuple(_imports(names, {module.name for module in project.modules}, name)),
        importers=project.importers(name),
        tests=project.tests.get(name, ()),
        layers=layers(names, symbols),
        recursive=tuple(symbol for symbol in symbols if is_recursive(names, symbol)),
        import_effects=tuple(effects_of(names, None)),
        effects=tuple({(e.kind, e.target): e for e in reversed(effects)}.values())[::-1],
        raises=tuple(dict.fromkeys(error.name for error in _escaping(names, reachable))),
        patterns=tuple(patterns(names)),
        script=parsed.script,
    )


def find(names: Names, name: str) -> Scope:
    """Return the scope of a qualified name, or of a last part that only one has.

    Raises:
        UnknownNameError: there is none, or several.
    """
    if name in names.scopes:
        return names.scopes[name]
    ending = [full for full in names.scopes if full.endswith("." + name)]
    if len(ending) == 1:
        return names.scopes[ending[0]]
    known = sorted(ending or names.scopes, key=lambda full: (full.startswith("_"), full))
    what = "several things named" if ending else "nothing named"
    raise UnknownNameError(
        f"{names.parsed.path!r} has {what} {name!r}.", hint=near_miss(name, known)
    )


def _common(
    names: Names, scope: Scope, complexity: dict[int, int], others: Sequence[ParsedModule]
) -> SymbolExplanation:
    """Return the facts that functions and classes share."""
    node = scope.node
    assert node is not None
    docstring = ast.get_docstring(node) or ""
    prefix = scope.name + "."
    inside = [s for s in names.parsed.scopes if s is scope or s.name.startswith(prefix)]
    calling = (*callers(names, scope), *callers_elsewhere(names.parsed, scope, others))
    return SymbolExplanation(
        name=scope.name,
        kind=kind_of(scope),
        path=names.parsed.path,
        line=scope.line,
        end_line=scope.end_line,
        signature=signature(node),
        purpose=first_sentence(docstring),
        docstring=docstring,
        decorators=tuple(cut(decorator) for decorator in node.decorator_list),
        statements=scope.statements,
        cognitive=sum(complexity.get(s.start, 0) for s in inside if not s.in_function),
        callers=calling,
        recursive=is_recursive(names, scope.name),
        effects=tuple(effects_of(names, scope)),
        effects_through=tuple(effects_through(names, scope)),
        patterns=tuple(patterns(names, scope.name)),
    )


def _of_function(
    facts: SymbolExplanation, names: Names, scope: Scope, node: Function
) -> SymbolExplanation:
    own = raised(names.parsed, node)
    reads, writes = _outside_names(names, scope)
    return structs.replace(
        facts,
        parameters=tuple(parameters(node)),
        returns=tuple(returns(node)),
        annotated_result="" if node.returns is None else ast.unparse(node.returns),
        raises=tuple(own),
        raises_through=tuple(_raised_through(names, scope, {error.name for error in own})),
        catches=tuple(caught(node)),
        branches=tuple(branches(node)),
        reads=reads,
        writes=writes,
    )


def _of_class(
    facts: SymbolExplanation,
    names: Names,
    scope: Scope,
    node: ast.ClassDef,
    complexity: dict[int, int],
) -> SymbolExplanation:
    inner = [s for s in names.parsed.scopes if s.parent is scope]
    methods = {s.node.name for s in inner if isinstance(s.node, Function)}
    bases = [names.scopes[base] for base, local in _bases(names, scope) if local]
    inherited = [names.member(base, method) for base in bases for method in sorted(methods)]
    return structs.replace(
        facts,
        bases=tuple(cut(base) for base in node.bases),
        subclasses=tuple(
            other.name
            for other in names.parsed.scopes
            if (scope.name, True) in _bases(names, other)
        ),
        attributes=tuple(attributes(node, inner)),
        members=tuple(member(s, complexity) for s in inner),
        protocols=protocols(methods),
        overrides=tuple(method for method in inherited if method is not None),
        raises=tuple({error.name: error for error in _escaping(names, inner)}.values()),
        parameters=tuple(constructor(inner)),
    )


def _bases(names: Names, scope: Scope) -> list[tuple[str, bool]]:
    """Return the dotted names of a class's bases, and whether each is of this module."""
    if not isinstance(scope.node, ast.ClassDef):
        return []
    return [names.dotted(base, scope.parent) for base in scope.node.bases]


def _escaping(names: Names, scopes: Sequence[Scope]) -> list[Raised]:
    """Return the exceptions that functions raise and do not catch themselves."""
    return [
        error
        for scope in scopes
        if isinstance(scope.node, Function)
        for error in raised(names.parsed, scope.node)
        if not error.caught
    ]


def _outside_names(names: Names, scope: Scope) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names from outside a function that it uses, and those it binds outside.

    Source: Python's own symbol tables (`symtable`).
    """
    table: symtable.SymbolTable = symtable.symtable(names.parsed.text, PARSE_NAME, "exec")
    lines = [scope.line, scope.start]
    todo = [table]
    while todo:
        at = todo.pop()
        if at.get_name() == scope.name.rpartition(".")[2] and at.get_lineno() in lines:
            break
        todo += at.get_children()
    else:
        return (), ()
    reads: set[str] = set()
    writes: set[str] = set()
    within = [at]
    while within:
        inner = within.pop()
        within += inner.get_children()
        for symbol in inner.get_symbols():
            name = symbol.get_name()
            outer = symbol.is_global() or (symbol.is_free() and inner is at)
            if outer and symbol.is_referenced() and not is_builtin(name):
                reads.add(name)
            if (symbol.is_declared_global() or symbol.is_nonlocal()) and symbol.is_assigned():
                writes.add(name)
    return tuple(sorted(reads)), tuple(sorted(writes))


def _raised_through(names: Names, scope: Scope, own: set[str]) -> list[Raised]:
    """Return what called functions of the module raise and `scope` has no handler for."""
    found: dict[str, Raised] = {}
    if isinstance(scope.node, Function):
        own = own | {name for handler in caught(scope.node) for name in handler.names}
    for callee in names.reached(scope.name):
        for error in _escaping(names, [names.scopes[callee]]):
            if error.name not in own:
                found.setdefault(error.name, structs.replace(error, via=callee))
    return list(found.values())


def _public(names: Names, tops: list[Scope]) -> tuple[str, ...]:
    """The names of `__all__`, or those without underscore where none is listed in one piece."""
    for statement in names.tree.body:
        for target, _, value in assignments(statement):
            if (
                cut(target) == "__all__"
                and isinstance(value, ast.List | ast.Tuple)
                and names.parsed.text.count("__all__") == 1
            ):
                return tuple(
                    item.value
                    for item in value.elts
                    if isinstance(item, ast.Constant) and isinstance(item.value, str)
                )
    named = [scope.name for scope in tops] + sorted(names.assigned)
    return tuple(dict.fromkeys(name for name in named if not name.startswith("_")))


def _constants(names: Names) -> list[Attribute]:
    """Module-level names in capitals, and annotated ones."""
    found = []
    for statement in names.tree.body:
        for target, annotation, value in assignments(statement):
            if not isinstance(target, ast.Name) or target.id == "__all__":
                continue
            if target.id.isupper() or annotation is not None:
                found.append(attribute(target.id, statement, "module", annotation, value))
    return found


def _imports(names: Names, project: set[str], own: str) -> list[ImportFact]:
    used: dict[str, int] = {}
    for name in names.parsed.of(ast.Name):
        used[name.id] = used.get(name.id, 0) + 1
    top = own.partition(".")[0]
    found: dict[str, ImportFact] = {}
    for item in names.parsed.imports:
        first = item.module.partition(".")[0]
        local = (item.bound,) if item.bound else item.locals
        if item.module.startswith(".") or first == top or item.module in project:
            origin = "project"
        elif first in sys.stdlib_module_names:
            origin = "standard library"
        else:
            origin = "third party"
        before = found.get(item.module)
        found[item.module] = ImportFact(
            module=item.module,
            origin=origin,
            line=item.line if before is None else before.line,
            names=(*(before.names if before else ()), *item.names),
            uses=sum(used.get(name, 0) for name in local) + (before.uses if before else 0),
            deferred=item.deferred and (before is None or before.deferred),
        )
    return list(found.values())
