"""Facts of many modules together: names, who imports whom, cycles, tests, ways in.

Built from parsed modules, which may have released their trees. Only modules that are given are
in the graph: what is imported from elsewhere is `external`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from aiex_ipy.grounding.lint import is_test
from aiex_ipy.grounding.parsed import Import, ParsedModule


class Symbol(Struct, frozen=True, kw_only=True):
    """A function, class or method. `name` is qualified within its module."""

    name: str
    kind: str
    line: int
    end_line: int
    public: bool
    documented: bool


class Dependency(Struct, frozen=True, kw_only=True):
    """One import of a module of the project by another. `names` are those taken from it, without
    submodules, which are dependencies of their own. `deferred` is inside a function, `typing_only`
    under `if TYPE_CHECKING:`; neither runs when the importer is imported."""

    importer: str
    imported: str
    line: int
    names: tuple[str, ...] = ()
    deferred: bool = False
    typing_only: bool = False

    @property
    def eager(self) -> bool:
        return not (self.deferred or self.typing_only)


class ModuleNode(Struct, frozen=True, kw_only=True):
    """A module of the project. `name` is what one would import; `external` the top names of
    what it imports from outside, sorted."""

    name: str
    path: str
    statements: int
    test: bool
    script: bool
    external: tuple[str, ...] = ()
    symbols: tuple[Symbol, ...] = ()


class ProjectFacts(Struct, frozen=True, kw_only=True):
    """The project as a graph. `modules` are sorted by path, `dependencies` by importer and line.

    `cycles` are the groups of modules that import each other when imported, each starting with
    its first name; `tests` maps a module to the test modules that import it, directly or through
    a package's front page; `entry_points` are the modules one can run, tests aside.
    """

    modules: tuple[ModuleNode, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    cycles: tuple[tuple[str, ...], ...] = ()
    tests: dict[str, tuple[str, ...]] = {}
    entry_points: tuple[str, ...] = ()

    def metrics(self) -> dict[str, dict[str, float]]:
        """Return by path what a module's place in the project comes to in numbers.

        `imported_by` and `imports_own` count other modules of the project, `tested_by` the test
        modules that import it; `in_cycle` and `entry_point` are 0 or 1.
        """
        into: dict[str, set[str]] = {}
        out: dict[str, set[str]] = {}
        for edge in self.dependencies:
            into.setdefault(edge.imported, set()).add(edge.importer)
            out.setdefault(edge.importer, set()).add(edge.imported)
        circular = {name for cycle in self.cycles for name in cycle}
        return {
            module.path: {
                "imported_by": float(len(into.get(module.name, ()))),
                "imports_own": float(len(out.get(module.name, ()))),
                "tested_by": float(len(self.tests.get(module.name, ()))),
                "in_cycle": float(module.name in circular),
                "entry_point": float(module.name in self.entry_points),
            }
            for module in self.modules
        }

    def module(self, name: str) -> ModuleNode | None:
        """Return the module of that name, or None."""
        return next((module for module in self.modules if module.name == name), None)

    def importers(self, name: str) -> tuple[str, ...]:
        """Return the modules that import `name`, sorted."""
        return tuple(sorted({d.importer for d in self.dependencies if d.imported == name}))


def relate(modules: Iterable[ParsedModule]) -> ProjectFacts:
    """Return the facts of parsed modules; those that did not parse are left out."""
    ordered = sorted(modules, key=lambda module: module.path)
    whole = [module for module in ordered if module.error is None]
    names = names_of(whole)
    index = _Index(names, {names[m.path]: m for m in whole})
    nodes: list[ModuleNode] = []
    edges: list[Dependency] = []
    for module in whole:
        name = names[module.path]
        external: set[str] = set()
        for item in module.imports:
            targets = index.targets(item, name, module.path)
            if not targets and not item.module.startswith("."):
                external.add(item.module.partition(".")[0])
            edges += [_edge(name, t, taken, item) for t, taken in targets.items() if t != name]
        nodes.append(_node(module, name, tuple(sorted(external))))
    edges.sort(key=lambda edge: (edge.importer, edge.line, edge.imported))
    return ProjectFacts(
        modules=tuple(nodes),
        dependencies=tuple(edges),
        cycles=cycles(edges),
        tests=_tests(nodes, edges),
        entry_points=tuple(sorted(n.name for n in nodes if n.script and not n.test)),
    )


def names_of(modules: Iterable[ParsedModule]) -> dict[str, str]:
    """Map the paths of modules to their dotted names."""
    found = list(modules)
    files = {module.path: module.subject.file for module in found if module.subject.file}
    return module_names([module.path for module in found], files)


def module_names(paths: Sequence[str], files: Mapping[str, str] | None = None) -> dict[str, str]:
    """Map posix paths to dotted names as one would import them.

    A package starts below the nearest directory without `__init__.py`; a directory of modules
    without one, and not the project's top or `src`, counts as a namespace package. `files` maps
    paths to absolute ones, so that packages around the given paths are seen too: of a package
    of which only a part is looked at, the modules still have their whole names.
    """
    fronts = {
        path.rpartition("/")[0]: path
        for path in paths
        if path.rpartition("/")[2] in ("__init__.py", "__init__.pyi")
    }
    around = {
        folder: _around((files or {}).get(path, ""), folder) for folder, path in fronts.items()
    }
    names: dict[str, str] = {}
    taken: dict[str, str] = {}
    for path in paths:
        folder, _, file = path.rpartition("/")
        stem = file.rsplit(".", 1)[0]
        parts = [] if stem == "__init__" and (folder or around[""]) else [stem]
        top = folder if folder in fronts else None
        while folder and folder in fronts:
            top = folder
            folder, _, last = folder.rpartition("/")
            parts.insert(0, last)
        top = "" if not folder and "" in fronts else top
        parts = [*around.get(top, ()), *parts] if top is not None else parts
        name = ".".join(parts)
        if name in taken or (len(parts) == 1 and folder and stem != "__init__"):
            longer = ".".join([*_namespace(folder), *parts])
            name = name if name not in taken and longer == name else longer
        names[path] = name
        taken[name] = path
    return names


def _around(front: str, folder: str) -> list[str]:
    """Return the packages on disk around a package, outermost first, by the absolute path of its
    front page; its own name too where its `folder` does not tell it."""
    if not front:
        return []
    directory = os.path.dirname(front)
    if folder:
        directory = os.path.dirname(directory)
    parts: list[str] = []
    while os.path.isfile(os.path.join(directory, "__init__.py")):
        directory, name = os.path.split(directory)
        parts.insert(0, name)
    return parts


def _namespace(folder: str) -> list[str]:
    parts = [part for part in folder.split("/") if part not in ("", ".", "..")]
    return parts[1:] if parts[:1] == ["src"] else parts


def cycles(dependencies: Iterable[Dependency]) -> tuple[tuple[str, ...], ...]:
    """Return the groups of modules that need each other to be imported, sorted.

    Each group is listed in import order along one cycle where it is one, else by name, starting
    with its first name.

    Source: R. Tarjan, "Depth-first search and linear graph algorithms", 1972.
    """
    graph: dict[str, list[str]] = {}
    for edge in dependencies:
        if edge.eager:
            graph.setdefault(edge.importer, []).append(edge.imported)
            graph.setdefault(edge.imported, [])
    found = [sorted(group) for group in _strongly_connected(graph) if len(group) > 1]
    return tuple(sorted(tuple(_along(group, graph)) for group in found))


def _along(group: list[str], graph: dict[str, list[str]]) -> list[str]:
    """Order a group along its imports when a single round passes through all of it."""
    inside = set(group)
    round_trip = [group[0]]
    while True:
        following = sorted(set(graph[round_trip[-1]]) & inside - set(round_trip))
        if not following:
            break
        round_trip.append(following[0])
    return round_trip if len(round_trip) == len(group) else group


def _strongly_connected(graph: dict[str, list[str]]) -> list[list[str]]:
    """Tarjan's algorithm without recursion."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    held: dict[str, None] = {}
    groups: list[list[str]] = []
    for root in sorted(graph):
        if root in number:
            continue
        work = [(root, iter(graph[root]))]
        number[root] = low[root] = len(number)
        held[root] = None
        while work:
            name, following = work[-1]
            for target in following:
                if target not in number:
                    number[target] = low[target] = len(number)
                    held[target] = None
                    work.append((target, iter(graph[target])))
                    break
                if target in held:
                    low[name] = min(low[name], number[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == number[name]:
                    group: list[str] = []
                    while not group or group[-1] != name:
                        group.append(held.popitem()[0])
                    groups.append(group)
    return groups


class _Index:
    """Finds the modules of the project an import statement names."""

    def __init__(self, names: dict[str, str], modules: dict[str, ParsedModule]) -> None:
        self._names = set(names.values())
        self._modules = modules
        self._words: dict[str, set[str]] = {}
        self._packages = {
            n for p, n in names.items() if p.rsplit("/", 1)[-1].startswith("__init__.")
        }
        self._holders = {
            name.partition(".")[0]: _holder(path, name) for path, name in sorted(names.items())
        }
        self._beside: dict[str, dict[str, str]] = {}
        for path, name in names.items():
            folder, _, file = path.rpartition("/")
            stem = file.rsplit(".", 1)[0]
            holder, _, last = name.rpartition(".")
            if holder and last == stem and not {name, holder} & self._packages:
                self._beside.setdefault(stem, {})[folder] = name

    def targets(self, item: Import, importer: str, path: str) -> dict[str, tuple[str, ...]]:
        """Map the modules imported, submodules taken by `from package import name` too, to the
        names taken from each."""
        module = self._meant(item.module, importer, path)
        if module is None:
            return {}
        found: dict[str, tuple[str, ...]] = {}
        own: list[str] = []
        for name in item.names:
            full = f"{module}.{name}" if module else name
            if full in self._names:
                found[full] = ()
            elif module not in self._packages or self._mentions(module, name):
                own.append(name)
        if own or not item.names:
            # Some names are attributes of the module itself: it, or its nearest known part.
            part = module
            while part and part not in self._names:
                part = part.rpartition(".")[0] if not item.names else ""
            if part:
                found[part] = tuple(own)
        return found

    def _meant(self, module: str, importer: str, path: str) -> str | None:
        """Return the whole name of an imported module, None for one that is not the project's."""
        if module.startswith("."):
            return self._absolute(module, importer)
        if module not in self._names and (beside := self._neighbour(module, path)):
            return beside
        return module if self._reaches(module, importer, path) else None

    def _reaches(self, module: str, importer: str, path: str) -> bool:
        """Return whether an absolute import finds the project's module: one that is named as one
        of the standard library only from beside it, where it stands first on `sys.path`."""
        top = module.partition(".")[0]
        if top not in sys.stdlib_module_names:
            return True
        return self._holders.get(top) in (_holder(path, importer), path.rpartition("/")[0])

    def _mentions(self, package: str, name: str) -> bool:
        """Return whether a package's front page can hold the name. Where nothing there speaks of
        it, it is a submodule that is not given: a compiled one."""
        front = self._modules[package]
        words = self._words.get(package)
        if words is None:
            words = self._words[package] = set(re.findall(r"\w+", front.text))
        return name in words or name == "*" or any("*" in item.names for item in front.imports)

    def _neighbour(self, module: str, path: str) -> str | None:
        """Return the module in the importer's folder, or the nearest above, that is no package:
        where a script runs, Python looks for modules beside it first."""
        beside = self._beside.get(module)
        if beside is None:
            return None
        folder = path.rpartition("/")[0]
        if module in sys.stdlib_module_names:
            return beside.get(folder)
        while folder not in beside and folder:
            folder = folder.rpartition("/")[0]
        return beside.get(folder)

    def _absolute(self, module: str, importer: str) -> str | None:
        dots = len(module) - len(module.lstrip("."))
        base = importer.split(".")
        up = dots - 1 if importer in self._packages else dots
        if up > len(base):
            return None
        kept = base[: len(base) - up]
        rest = module[dots:]
        return ".".join([*kept, rest] if rest else kept)


def _holder(path: str, name: str) -> str:
    """Return the folder from which a module is imported by its whole name."""
    folder, _, file = path.rpartition("/")
    up = name.count(".") + (1 if file.startswith("__init__.") else 0)
    return "/".join(folder.split("/")[: max(0, len(folder.split("/")) - up)])


def _edge(importer: str, imported: str, names: tuple[str, ...], item: Import) -> Dependency:
    return Dependency(
        importer=importer,
        imported=imported,
        line=item.line,
        names=names,
        deferred=item.deferred,
        typing_only=item.typing_only,
    )


def _node(module: ParsedModule, name: str, external: tuple[str, ...]) -> ModuleNode:
    return ModuleNode(
        name=name,
        path=module.path,
        statements=module.statements,
        test=is_test(module.path),
        script=module.script or name.rpartition(".")[2] == "__main__",
        external=external,
        symbols=tuple(
            Symbol(
                name=scope.name,
                kind=scope.kind if scope.kind == "class" or not scope.in_class else "method",
                line=scope.line,
                end_line=scope.end_line,
                public=scope.public,
                documented=scope.documented,
            )
            for scope in module.scopes
            if not scope.in_function
        ),
    )


def _tests(nodes: list[ModuleNode], edges: list[Dependency]) -> dict[str, tuple[str, ...]]:
    """Map modules to the tests that import them; a name taken from a package's front page
    counts for the module that defines it."""
    by_name = {node.name: node for node in nodes}
    defined: dict[tuple[str, str], str] = {}
    for edge in edges:
        for name in edge.names:
            defined.setdefault((edge.importer, name), edge.imported)
    found: dict[str, set[str]] = {}
    for edge in edges:
        if not by_name[edge.importer].test or by_name[edge.imported].test:
            continue
        found.setdefault(edge.imported, set()).add(edge.importer)
        for name in edge.names:
            origin = defined.get((edge.imported, name))
            if origin is not None and not by_name[origin].test:
                found.setdefault(origin, set()).add(edge.importer)
    return {name: tuple(sorted(found[name])) for name in sorted(found)}
