"""The import graph of the modules given: who imports whom, when, and in which packages they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from aiex_ipy.grounding.python import Import, ParsedModule

Path = tuple[str, ...]


class Module:
    """A node of the graph. `path` are the folders and the module's own name (a package's
    `__init__` stands for its folder), `name` the dotted name by which the packages among the
    given modules import it, `package` the folder it stands in. `is_aside` is True for tests and
    for copies of other projects, on which the architecture of this one does not rest."""

    __slots__ = (
        "imports",
        "is_aside",
        "is_package",
        "is_test",
        "name",
        "package",
        "parsed",
        "path",
    )

    def __init__(self, parsed: ParsedModule, path: Path, *, is_package: bool) -> None:
        self.parsed = parsed
        self.path = path
        self.is_package = is_package
        self.package = path if is_package else path[:-1]
        self.name = path[-1]
        self.is_test = of_tests(path)
        self.is_aside = self.is_test or any(part in _COPIES for part in path)
        self.imports: list[Edge] = []


class Edge:
    """One import of a module of the graph. `names` are those taken from it (empty for the
    module itself); `at_import` is False for an import inside a function, `at_run` for one that
    only type checkers see."""

    __slots__ = ("at_import", "at_run", "line", "names", "source", "target")

    def __init__(self, source: Module, target: Module, names: tuple[str, ...], of: Import) -> None:
        self.source = source
        self.target = target
        self.names = names
        self.line = of.line
        self.at_run = not of.typing_only
        self.at_import = self.at_run and not of.deferred

    @property
    def is_own(self) -> bool:
        """Whether it is a dependency of the project's own code on its own code."""
        return self.at_run and not self.source.is_aside and not self.target.is_aside


class Graph:
    """Modules in the order of their paths, with their imports of each other resolved.

    An absolute import is looked up as Python would from a folder that holds the package's
    top, and where several such folders hold the name, in the one nearest to the importer.
    """

    def __init__(self, modules: Iterable[ParsedModule]) -> None:
        self._by_path: dict[Path, Module] = {}
        for parsed in modules:
            module = _module(parsed)
            if module is not None:
                self._by_path.setdefault(module.path, module)
        self.modules: list[Module] = [self._by_path[path] for path in sorted(self._by_path)]
        self._by_name: dict[Path, list[Module]] = {}
        for module in self.modules:
            self._name(module)
        for module in self.modules:
            module.imports = list(self._imports(module))

    def edges(self) -> Iterator[Edge]:
        for module in self.modules:
            yield from module.imports

    def package(self, path: Path) -> Module | None:
        """The package that is the folder, if it is one."""
        found = self._by_path.get(path)
        return found if found is not None and found.is_package else None

    def _name(self, module: Module) -> None:
        start = len(module.path) - 1
        while start and self.package(module.path[:start]):
            start -= 1
        module.name = ".".join(module.path[start:])
        while start >= 0:  # the folders above may be namespace packages
            self._by_name.setdefault(module.path[start:], []).append(module)
            start -= 1

    def _imports(self, source: Module) -> Iterator[Edge]:
        for one in source.parsed.imports:
            level = len(one.module) - len(one.module.lstrip("."))
            dotted = tuple(part for part in one.module[level:].split(".") if part)
            if not one.names:
                target = self._longest(source, dotted)
                if target is not None and target is not source:
                    yield Edge(source, target, (), one)
                continue
            own: list[str] = []
            for name in one.names:
                target = self._find(source, level, (*dotted, name))
                if target is None:
                    own.append(name)
                elif target is not source:
                    yield Edge(source, target, (), one)
            target = self._find(source, level, dotted) if own else None
            if target is not None and target is not source:
                yield Edge(source, target, tuple(own), one)

    def _find(self, source: Module, level: int, dotted: Path) -> Module | None:
        if level:
            up = len(source.package) - (level - 1)
            return self._by_path.get((*source.package[:up], *dotted)) if up > 0 else None
        found = self._by_name.get(dotted)
        if not found:
            return None
        return max(found, key=lambda module: _shared(module.path, source.path))

    def _longest(self, source: Module, dotted: Path) -> Module | None:
        while dotted:
            found = self._find(source, 0, dotted)
            if found is not None:
                return found
            dotted = dotted[:-1]
        return None


_TESTS = frozenset({"test", "tests", "idle_test", "benchmark", "benchmarks", "examples", "docs"})
_COPIES = frozenset({"_vendor", "_vendored", "vendor", "vendored", "extern", "third_party"})


def of_tests(path: Sequence[str]) -> bool:
    """Whether a module by its folders and name is a test, benchmark or example, which nobody
    builds on."""
    name = path[-1].removesuffix(".py")
    return (
        any(part in _TESTS for part in path[:-1])
        or name.startswith("test_")
        or name.endswith("_test")
        or name in ("conftest", "setup")
    )


def _module(parsed: ParsedModule) -> Module | None:
    file = (parsed.subject.file or parsed.subject.path).replace("\\", "/")
    if parsed.error is not None or not file.endswith(".py"):
        return None
    path = tuple(part for part in file.removesuffix(".py").split("/") if part not in ("", "."))
    if path and path[-1] == "__init__":
        return Module(parsed, path[:-1], is_package=True) if len(path) > 1 else None
    return Module(parsed, path, is_package=False) if path else None


def _shared(one: Path, other: Path) -> int:
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count


def siblings(one: Path, other: Path) -> tuple[Path, Path] | None:
    """The folders or modules right under the nearest common folder that hold the two, or None
    where one holds the other."""
    at = _shared(one, other)
    if at == len(one) or at == len(other):
        return None
    return one[: at + 1], other[: at + 1]


def knots(targets: dict[Module, list[Module]]) -> list[list[Module]]:
    """The strongly connected components with more than one module, each in the graph's order.

    Source: R. Tarjan, Depth-First Search and Linear Graph Algorithms, SIAM J. Comput. 1972;
    here without recursion.
    """
    order: dict[Module, int] = {}
    low: dict[Module, int] = {}
    open_: dict[Module, None] = {}
    found: list[list[Module]] = []
    for root in targets:
        if root in order:
            continue
        work: list[tuple[Module, int]] = [(root, 0)]
        while work:
            module, at = work.pop()
            if at == 0:
                order[module] = low[module] = len(order)
                open_[module] = None
            following = targets.get(module, [])
            while at < len(following):
                after = following[at]
                at += 1
                if after not in order:
                    work += ((module, at), (after, 0))
                    break
                if after in open_:
                    low[module] = min(low[module], order[after])
            else:
                _close(module, order, low, open_, found)
                if work:
                    outer = work[-1][0]
                    low[outer] = min(low[outer], low[module])
    return found


def _close(
    module: Module,
    order: dict[Module, int],
    low: dict[Module, int],
    open_: dict[Module, None],
    found: list[list[Module]],
) -> None:
    if low[module] != order[module]:
        return
    knot: list[Module] = []
    while True:
        last, _ = open_.popitem()
        knot.append(last)
        if last is module:
            break
    if len(knot) > 1:
        found.append(sorted(knot, key=lambda one: one.path))


def round_trip(
    start: Module, targets: dict[Module, list[Module]], within: set[Module]
) -> Sequence[Module]:
    """The shortest way from a module back to itself inside a knot, both ends included; of
    several the first in the graph's order."""
    before: dict[Module, Module] = {}
    front = [start]
    while front:
        following: list[Module] = []
        for module in front:
            for after in targets[module]:
                if after is start:
                    way = [module]
                    while way[-1] is not start:
                        way.append(before[way[-1]])
                    return [*reversed(way), start]
                if after in within and after not in before:
                    before[after] = module
                    following.append(after)
        front = following
    return [start]
