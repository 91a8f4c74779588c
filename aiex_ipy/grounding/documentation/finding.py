"""Find what a dotted name stands for in source files, without importing anything.

Re-exports are followed through `from .x import y`, `import a as b`, `from .x import *`, plain
assignments and stubs; members through base classes.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from typing import NamedTuple

from aiex_ipy.errors import UnknownNameError, near_miss
from aiex_ipy.grounding.definitions import assignments

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef
Read = Callable[[str], str | None]
"""Gives the text of a file, None for one that may not or cannot be read."""
MOST_HOPS = 60
"""Re-exports and base classes that are followed one after the other."""


class Place(NamedTuple):
    """Where a module is: its file, and whether that is `source`, a `stub` or `compiled`."""

    file: str
    kind: str


class Source:
    """One file that was read: what its module level binds."""

    def __init__(self, module: str, file: str, text: str, *, package: bool) -> None:
        self.module = module
        self.file = file
        self.text = text
        self.package = package
        self.tree = ast.parse(text)
        self.names: dict[str, list[ast.stmt]] = {}
        self.stars: list[ast.ImportFrom] = []
        self.listing: list[ast.stmt] = []
        """The statements that make `__all__`."""
        for node in _statements(self.tree.body):
            self._bind(node)

    def _bind(self, node: ast.stmt) -> None:
        if _lists(node):
            self.listing.append(node)
        if isinstance(node, Definition):
            self.names.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                self.names.setdefault(bound, []).append(node)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name == "*":
                    self.stars.append(node)
                else:
                    self.names.setdefault(alias.asname or alias.name, []).append(node)
        else:
            for target, _, _ in assignments(node):
                if isinstance(target, ast.Name):
                    self.names.setdefault(target.id, []).append(node)

    def absolute(self, node: ast.ImportFrom) -> str:
        """Return the full name of the module that a `from … import` names."""
        if not node.level:
            return node.module or ""
        parts = self.module.split(".")
        kept = parts[: len(parts) - node.level + (1 if self.package else 0)]
        return ".".join([*kept, *([node.module] if node.module else [])])


class Found:
    """What a name stands for. `nodes` are its definitions in `source`, several for overloads, none
    for a module; `owner` is the class it is a member of. `names` are all dotted names under which
    it was met. `compiled` is the file of a module that has no source."""

    def __init__(
        self,
        source: Source | None,
        qualname: str,
        nodes: list[ast.stmt],
        *,
        module: str = "",
        owner: Found | None = None,
        compiled: str = "",
        instance: bool = False,
    ) -> None:
        self.source = source
        self.qualname = qualname
        self.nodes = nodes
        self.module = source.module if source is not None else module
        self.owner = owner
        self.compiled = compiled
        self.instance = instance
        self.names: list[str] = []

    @property
    def name(self) -> str:
        """The full name where it is defined."""
        return f"{self.module}.{self.qualname}" if self.qualname else self.module

    @property
    def node(self) -> ast.stmt | None:
        """The definition; of several the last, which is the one that counts."""
        return self.nodes[-1] if self.nodes else None


class Finder:
    """Looks for names below `roots`. Reads each file once; not for use by several threads."""

    def __init__(self, read: Read, roots: Iterable[str], stubs: Iterable[str] = ()) -> None:
        self._read = read
        self._roots = [os.path.abspath(root) for root in roots]
        self._stubs = [os.path.abspath(root) for root in stubs]
        self._sources: dict[str, Source | None] = {}
        self._under_way: list[tuple[str, str]] = []

    def find(self, dotted: str) -> Found:
        """Return what `package.module.Class.method` stands for.

        Raises UnknownNameError where a part is not there, naming what is spelled like it.
        """
        parts = dotted.split(".")
        used = next((n for n in range(len(parts), 0, -1) if self.place(".".join(parts[:n]))), None)
        if used is None or not all(part.isidentifier() for part in parts):
            raise UnknownNameError(
                f"{dotted!r} was not found: there is no module {parts[0]!r} in the project or on "
                "sys.path.",
                hint=_spelled_like(parts[0], self.modules()),
            )
        # A name bound in a package goes before a module of that name, as it does in Python.
        for n in range(1, used + 1):
            found = self._from_module(".".join(parts[:n]), parts[n:])
            if found is not None:
                found.names.append(dotted)
                return found
        raise self._missing(".".join(parts[:used]), parts[used:])

    def place(self, module: str) -> Place | None:
        """Return where a module is, None where no root holds it."""
        below = module.replace(".", os.sep)
        for root in self._roots:
            base = os.path.join(root, below)
            for file, kind in (
                (os.path.join(base, "__init__.py"), "source"),
                (f"{base}.py", "source"),
                (os.path.join(base, "__init__.pyi"), "stub"),
                (f"{base}.pyi", "stub"),
            ):
                if os.path.isfile(file):
                    return Place(file, kind)
            for suffix in EXTENSION_SUFFIXES:
                if os.path.isfile(base + suffix):
                    return Place(base + suffix, "compiled")
        return self._stub_place(module)

    def _stub_place(self, module: str) -> Place | None:
        for root in self._stubs:
            base = os.path.join(root, module.replace(".", os.sep))
            for file in (os.path.join(base, "__init__.pyi"), f"{base}.pyi"):
                if os.path.isfile(file):
                    return Place(file, "stub")
        return None

    def modules(self) -> list[str]:
        """Return the names of the modules and packages that can be imported from the roots."""
        found: set[str] = set()
        for root in self._roots:
            try:
                entries = os.listdir(root)
            except OSError:
                continue
            for entry in entries:
                name = entry.partition(".")[0]
                package = os.path.isfile(os.path.join(root, entry, "__init__.py"))
                if name.isidentifier() and (package or entry.endswith((".py", ".so", ".pyd"))):
                    found.add(name)
        return sorted(found)

    def members(self, found: Found) -> dict[str, ast.stmt]:
        """Return the public names of a class or module, with what defines them: those it defines
        itself, and those that a module's `__all__` lists."""
        if found.source is None:
            return {}
        if found.node is None:
            listed = _listed(found.source)
            own = found.source.names
            return {
                name: nodes[-1]
                for name, nodes in own.items()
                if (name in listed if listed else name[:1] != "_" and not _imported(nodes[-1]))
            }
        if not isinstance(found.node, ast.ClassDef):
            return {}
        return {n: nodes[-1] for n, nodes in _members(found.node).items() if n[:1] != "_"}

    def inherited_docstring(self, found: Found) -> tuple[str, str]:
        """Return the docstring of the same member of the first base class that has one, and that
        class's name."""
        if found.owner is None or not isinstance(found.owner.node, ast.ClassDef):
            return "", ""
        last = found.qualname.rpartition(".")[2]
        for base in self._bases(found.owner):
            above = self._member(base, last)
            if above is not None and isinstance(above.node, Definition):
                text = ast.get_docstring(above.node)
                if text and above.node is not found.node:
                    return text, above.name
        return "", ""

    def constructor(self, found: Found) -> Found | None:
        """Return what is called when an object of a class is made: `__init__`, else `__new__`."""
        for name in ("__init__", "__new__"):
            made = self._member(found, name)
            if made is not None and isinstance(made.node, Function):
                return made
        return None

    def _source(self, module: str) -> Source | None:
        if module not in self._sources:
            place = self.place(module)
            if place is not None and place.kind == "compiled":
                place = self._stub_place(module)
            source = self._opened(module, place.file) if place is not None else None
            self._sources[module] = source
        return self._sources[module]

    def _stub(self, module: str) -> Source | None:
        """The stub of a module that makes its names when they are asked for, or takes them from
        compiled code."""
        place = self.place(module)
        key = f"{module} (stub)"
        if key not in self._sources:
            beside = f"{place.file}i" if place is not None and place.kind == "source" else ""
            stub = Place(beside, "stub") if os.path.isfile(beside) else self._stub_place(module)
            self._sources[key] = self._opened(module, stub.file) if stub is not None else None
        return self._sources[key]

    def _opened(self, module: str, file: str) -> Source | None:
        text = self._read(file)
        if text is None:
            return None
        package = os.path.basename(file).startswith("__init__.")
        try:
            return Source(module, file, text, package=package)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    def _from_module(self, module: str, rest: list[str]) -> Found | None:
        source = self._source(module)
        if source is None:
            place = self.place(module)
            if rest or place is None:
                return None
            return Found(None, "", [], module=module, compiled=place.file)
        if not rest:
            return Found(source, "", [])
        return self._below(self._bound(source, rest[0]), rest[1:])

    def _below(self, found: Found | None, rest: list[str]) -> Found | None:
        for number, part in enumerate(rest):
            if found is None:
                return None
            if found.node is None:
                return self._from_module(found.module, rest[number:])
            names = [f"{name}.{part}" for name in found.names]
            found = self._member(found, part)
            if found is not None:
                found.names += names
        return found

    def _bound(self, source: Source, name: str) -> Found | None:
        """Return what a module binds to a name, re-exports followed."""
        step = (source.file, name)
        if step in self._under_way or len(self._under_way) > MOST_HOPS:
            return None
        self._under_way.append(step)
        try:
            return self._bound_once(source, name)
        finally:
            self._under_way.pop()

    def _bound_once(self, source: Source, name: str) -> Found | None:
        nodes = source.names.get(name, [])
        found: Found | None = None
        # The last definition counts; of imports the first, which is the one that is hoped for.
        imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
        others = [node for node in reversed(nodes) if node not in imports]
        for node in (*imports, *others) if nodes[:1] == imports[:1] else (*others, *imports):
            found = self._meant(source, name, node, nodes)
            if found is not None:
                break
        if found is None and not nodes:
            found = self._starred(source, name)
        if found is None or (found.compiled and found.qualname):
            stub = self._stub(source.module)
            if stub is not None and stub is not source and name in stub.names:
                found = self._bound(stub, name) or found
        if found is None and not nodes and source.package:
            found = self._from_module(f"{source.module}.{name}", [])
        if found is not None:
            found.names.append(f"{source.module}.{name}")
        return found

    def _meant(
        self, source: Source, name: str, node: ast.stmt, nodes: list[ast.stmt]
    ) -> Found | None:
        if isinstance(node, Definition):
            return Found(source, name, [each for each in nodes if type(each) is type(node)])
        if isinstance(node, ast.ImportFrom):
            wanted = next(a.name for a in node.names if (a.asname or a.name) == name)
            return self._taken(source, source.absolute(node), wanted)
        if isinstance(node, ast.Import):
            names = [a.name if a.asname == name else name for a in node.names if name in _binds(a)]
            return self._from_module(names[0], []) if names else None
        for target, _, value in assignments(node):
            if isinstance(target, ast.Name) and target.id == name and value is not None:
                followed = self._value(source, value)
                if followed is not None:
                    return followed
        return Found(source, name, [node])

    def _taken(self, source: Source, module: str, wanted: str) -> Found | None:
        """Return what `from module import wanted` gives."""
        if module == source.module:
            return self._from_module(f"{module}.{wanted}", [])
        inner = self._source(module)
        found = self._bound(inner, wanted) if inner is not None else None
        if found is None:
            found = self._from_module(f"{module}.{wanted}", [])
        if found is None and inner is None and (place := self.place(module)) is not None:
            found = Found(None, wanted, [], module=module, compiled=place.file)
        return found

    def _value(self, source: Source, value: ast.expr) -> Found | None:
        """Follow `x = y`, `x = module.y`, `x = instance.method`."""
        if isinstance(value, ast.Name | ast.Attribute):
            dotted = _dotted(value)
            if dotted is None:
                return None
            first, *rest = dotted.split(".")
            start = self._bound(source, first)
            if start is not None and rest and start.instance is False and start.node is not None:
                made = self.made(start)
                start = made if made is not None else start
            return self._below(start, rest)
        return None

    def made(self, found: Found) -> Found | None:
        """Return the class of a module-level object, where its assignment shows it."""
        if found.source is None or not isinstance(found.node, ast.Assign | ast.AnnAssign):
            return None
        value = found.node.value
        if not isinstance(value, ast.Call):
            return None
        kind = self._value(found.source, value.func)
        return kind if kind is not None and isinstance(kind.node, ast.ClassDef) else None

    def _starred(self, source: Source, name: str) -> Found | None:
        for node in reversed(source.stars):
            inner = self._source(source.absolute(node))
            if inner is None or inner is source:
                continue
            if not _is_starred(inner, name):
                continue
            found = self._bound(inner, name)
            if found is not None:
                return found
        return None

    def _member(self, found: Found, name: str) -> Found | None:
        """Return a member of a class, that of a base where the class has none of its own."""
        step = (found.name, name)
        if step in self._under_way or len(self._under_way) > MOST_HOPS:
            return None
        self._under_way.append(step)
        try:
            if isinstance(found.node, ast.ClassDef):
                return self._member_of(found, found.node, name)
            made = self.made(found)
            return self._member(made, name) if made is not None else None
        finally:
            self._under_way.pop()

    def _member_of(self, found: Found, node: ast.ClassDef, name: str) -> Found | None:
        qualname = f"{found.qualname}.{name}"
        nodes = _members(node).get(name)
        if nodes is not None:
            kept = [each for each in nodes if type(each) is type(nodes[-1])]
            if not _is_overload(kept[-1]) and not all(map(_is_overload, kept[:-1])):
                kept = kept[:1] if _is_accessor(kept[-1]) else kept[-1:]
            member = Found(found.source, qualname, kept, owner=found)
        else:
            above = next(
                (m for base in self._bases(found) if (m := self._member(base, name)) is not None),
                None,
            )
            if above is not None:
                return above
            setting = _set_in_methods(node, name)
            if setting is None:
                return None
            member = Found(found.source, qualname, [setting], owner=found)
        member.names.append(member.name)
        return member

    def _bases(self, found: Found) -> list[Found]:
        if found.source is None or not isinstance(found.node, ast.ClassDef):
            return []
        bases = []
        for each in found.node.bases:
            plain = each.value if isinstance(each, ast.Subscript) else each
            base = self._value(found.source, plain)
            if base is not None and isinstance(base.node, ast.ClassDef):
                bases.append(base)
        return bases

    def _missing(self, module: str, rest: list[str]) -> UnknownNameError:
        """Return the error for the first part that is not there."""
        at, known = module, self._known(module)
        readable = self._source(module) is not None
        for part in rest:
            found = self._from_module(module, rest[: rest.index(part) + 1])
            if found is None:
                other = [name for name in known if name != part]
                hint = near_miss(part, other) if other else "Import it and give the object itself."
                what = "no name" if readable else "no source in which to look for"
                if part in known:
                    what = "no definition that can be found without running it of"
                    hint = "Import it and give the object itself."
                return UnknownNameError(f"{at!r} has {what} {part!r}.", hint=hint)
            at, known = f"{at}.{part}", sorted(self._all_members(found))
            readable = found.source is not None
        return UnknownNameError(f"{module!r} was not understood.", hint="Give the object itself.")

    def _known(self, module: str) -> list[str]:
        source = self._source(module)
        if source is None:
            return []
        names = set(source.names)
        for node in source.stars:
            inner = self._source(source.absolute(node))
            names |= set(inner.names) if inner is not None else set()
        return sorted(name for name in names if not name.startswith("_"))

    def _all_members(self, found: Found, depth: int = 8) -> set[str]:
        names = set(self.members(found))
        if depth:
            for base in self._bases(found):
                names |= self._all_members(base, depth - 1)
        return names


def _imported(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _binds(alias: ast.alias) -> tuple[str]:
    """The name that one part of `import a.b as c, d.e` binds."""
    return (alias.asname or alias.name.partition(".")[0],)


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run when a body does, those in `if`, `try`, `with` included."""
    for node in body:
        if isinstance(node, ast.If | ast.Try | ast.With | ast.For | ast.While):
            for part in ("body", "handlers", "orelse", "finalbody"):
                for inner in getattr(node, part, ()):
                    if isinstance(inner, ast.ExceptHandler):
                        yield from _statements(inner.body)
                    else:
                        yield from _statements([inner])
        else:
            yield node


def _members(node: ast.ClassDef) -> dict[str, list[ast.stmt]]:
    found: dict[str, list[ast.stmt]] = {}
    for each in _statements(node.body):
        if isinstance(each, Definition):
            found.setdefault(each.name, []).append(each)
        else:
            for target, _, _ in assignments(each):
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(each)
    return found


def _set_in_methods(node: ast.ClassDef, name: str) -> ast.stmt | None:
    """Return the statement by which a method sets `self.name`, that of `__init__` first."""
    methods = [each for each in _statements(node.body) if isinstance(each, Function)]
    for method in sorted(methods, key=lambda each: each.name != "__init__"):
        for inner in ast.walk(method):
            if not isinstance(inner, ast.stmt):
                continue
            for target, _, _ in assignments(inner):
                if (
                    isinstance(target, ast.Attribute)
                    and target.attr == name
                    and isinstance(target.value, ast.Name)
                    and target.value.id == "self"
                ):
                    return inner
    return None


def _decorators(node: ast.stmt) -> list[str]:
    listed = node.decorator_list if isinstance(node, Definition) else []
    return [_dotted(each.func if isinstance(each, ast.Call) else each) or "" for each in listed]


def _is_overload(node: ast.stmt) -> bool:
    return any(name.rpartition(".")[2] == "overload" for name in _decorators(node))


def _is_accessor(node: ast.stmt) -> bool:
    """True for `@x.setter` and `@x.deleter`, whose property is the definition before."""
    return any(name.endswith((".setter", ".deleter", ".getter")) for name in _decorators(node))


def _dotted(node: ast.expr) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


def _is_starred(source: Source, name: str) -> bool:
    """True when `import *` takes the name: `__all__` says so where it is written out, else the
    underscore does. scipy's `__all__` is added to by lists that are computed."""
    listed = _listed(source)
    whole = [getattr(node, "value", None) for node in source.listing]
    if len(whole) == 1 and isinstance(whole[0], ast.List | ast.Tuple):
        return name in listed
    return name in listed or not name.startswith("_")


def _lists(node: ast.stmt) -> bool:
    """True for `__all__ = …`, `__all__ += …`, `__all__.extend(…)`."""
    if isinstance(node, ast.AugAssign):
        targets: list[ast.expr] = [node.target]
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        targets = [node.value.func.value] if isinstance(node.value.func, ast.Attribute) else []
    else:
        targets = [target for target, _, _ in assignments(node)]
    return any(isinstance(each, ast.Name) and each.id == "__all__" for each in targets)


def _listed(source: Source) -> set[str]:
    """The names in `__all__`, where it is written as a list of strings."""
    found: set[str] = set()
    for node in source.listing:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                found.add(inner.value)
    return found


def _spelled_like(word: str, modules: Sequence[str]) -> str:
    """The modules spelled like a word: of hundreds no others are worth naming."""
    from difflib import get_close_matches

    close = get_close_matches(word, modules, 3)
    if close:
        return f"Did you mean {', '.join(map(repr, close))}?"
    return "Give the object itself, or the name of an installed module."
