"""The project's graph as the architecture rules look at it: modules, packages, dependencies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from aiex_ipy.grounding.parsed import ParsedModule
from aiex_ipy.grounding.project import Dependency, ModuleNode, ProjectFacts

Path = tuple[str, ...]

# Copies of other projects, and code nobody builds on.
_ASIDE = frozenset(
    {"_vendor", "_vendored", "vendor", "vendored", "extern", "third_party"}
    | {"benchmark", "benchmarks", "examples", "docs", "idle_test"}
)


class Module:
    """A module of the project. `path` is its dotted name in parts, `package` those of the
    package it stands in (its own for a package's front, `__init__`). `is_aside` is True for
    tests, copies of other projects and examples, on which no architecture rests."""

    __slots__ = (
        "imports",
        "is_aside",
        "is_package",
        "is_test",
        "name",
        "package",
        "parsed",
        "path",
        "size",
    )

    def __init__(self, node: ModuleNode, parsed: ParsedModule) -> None:
        self.parsed = parsed
        self.name = node.name
        self.path: Path = tuple(node.name.split("."))
        self.is_package = node.path.endswith("__init__.py")
        self.package = self.path if self.is_package else self.path[:-1]
        self.is_test = node.test
        self.is_aside = node.test or not _ASIDE.isdisjoint(node.path.split("/"))
        self.size = node.statements - len(parsed.imports)
        self.imports: list[Edge] = []


class Edge:
    """One import of a module by another. `at_run` is False for one that only type checkers see,
    `at_import` also for one inside a function."""

    __slots__ = ("at_import", "at_run", "line", "names", "source", "target")

    def __init__(self, source: Module, target: Module, of: Dependency) -> None:
        self.source = source
        self.target = target
        self.names = of.names
        self.line = of.line
        self.at_run = not of.typing_only
        self.at_import = of.eager

    @property
    def is_own(self) -> bool:
        """Whether it is a dependency of the project's own code on its own code."""
        return self.at_run and not self.source.is_aside and not self.target.is_aside


class Graph:
    """Modules by path, with their imports of each other. `cycles` are the names of modules that
    need each other to be imported."""

    def __init__(self, modules: Iterable[ParsedModule], facts: ProjectFacts) -> None:
        parsed = {module.path: module for module in modules}
        self.cycles = facts.cycles
        self.modules = [Module(node, parsed[node.path]) for node in facts.modules]
        self._by_name = {module.name: module for module in self.modules}
        for dependency in facts.dependencies:
            source = self._by_name[dependency.importer]
            edge = Edge(source, self._by_name[dependency.imported], dependency)
            source.imports.append(edge)

    def edges(self) -> Iterator[Edge]:
        for module in self.modules:
            yield from module.imports

    def module(self, name: str) -> Module:
        return self._by_name[name]

    def package(self, path: Path) -> Module | None:
        """The front of the package with that name, if it is one."""
        found = self._by_name.get(".".join(path))
        return found if found is not None and found.is_package else None


def siblings(one: Path, other: Path) -> tuple[Path, Path] | None:
    """The parts right under the nearest common package that hold the two, or None where one
    holds the other."""
    for at, (a, b) in enumerate(zip(one, other, strict=False), start=1):
        if a != b:
            return one[:at], other[:at]
    return None


def round_trip(start: Module, within: set[Module]) -> Sequence[Module]:
    """The shortest way of eager imports from a module back to itself inside a cycle, both ends
    included; of several the first in the order of the import statements."""
    before: dict[Module, Module] = {}
    front = [start]
    while front:
        following: list[Module] = []
        for module in front:
            for edge in module.imports:
                after = edge.target
                if not edge.at_import:
                    continue
                if after is start:
                    way = [module]
                    while way[-1] is not start:
                        way.append(before[way[-1]])
                    return [*reversed(way), start]
                if after in within and after not in before:
                    before[after] = module
                    following.append(after)
        front = following
    raise AssertionError(f"{start.name} stands in no cycle")
