"""Rules across modules, on the import graph alone (AX201-AX204, AX206-AX209)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from aiex_ipy.grounding.rules.catalogue import RULES
from aiex_ipy.grounding.rules.graph import Edge, Graph, Module, Path, round_trip, siblings


class Trouble:
    """An architecture rule that fired: in which module, at which line, the sentence to say."""

    __slots__ = ("line", "message", "module", "rule")

    def __init__(self, rule: str, module: Module, line: int, message: str) -> None:
        self.rule = rule
        self.module = module
        self.line = line
        self.message = message


def import_cycles(graph: Graph) -> Iterator[Trouble]:
    """Modules that import each other while they are imported: each is half made when the other
    sees it."""
    for cycle in graph.cycles:
        within = {graph.module(name) for name in cycle}
        for module in sorted(within, key=lambda one: one.path):
            way = round_trip(module, within)
            line = next(e.line for e in module.imports if e.target is way[1] and e.at_import)
            yield Trouble(
                "AX201", module, line, "Import cycle: " + " → ".join(one.name for one in way)
            )


def _between(graph: Graph) -> dict[tuple[Path, Path], list[Edge]]:
    """The imports between sibling packages, by the pair, in the graph's order."""
    between: dict[tuple[Path, Path], list[Edge]] = {}
    for edge in graph.edges():
        if not edge.is_own:
            continue
        pair = siblings(edge.source.path, edge.target.path)
        if pair is not None and all(graph.package(side) for side in pair):
            between.setdefault(pair, []).append(edge)
    return between


def entangled_packages(graph: Graph) -> Iterator[Trouble]:
    """Two packages that import each other; the direction with fewer imports is the way back."""
    between = _between(graph)
    used = Counter(target for _, target in between)
    for (one, other), edges in between.items():
        back = between.get((other, one))
        if back is None:
            continue
        mine = (len(edges), -used[other], other)
        theirs = (len(back), -used[one], one)
        if mine > theirs:
            continue
        seen: set[Module] = set()
        for edge in edges:
            if edge.source in seen:
                continue
            seen.add(edge.source)
            yield Trouble(
                "AX202",
                edge.source,
                edge.line,
                f"Package {one[-1]!r} imports {other[-1]!r}, which rests on it: "
                f"{len(edges)} imports this way, {len(back)} the other",
            )


def skipped_layers(graph: Graph) -> Iterator[Trouble]:
    """Names taken from inside a package whose front offers them, where most of the code takes
    the same name from the front."""
    least = RULES["AX203"].limits["imports of the front"]
    through, past = _ways(graph)
    said: set[Edge] = set()
    for (front, name), skips in past.items():
        if through[front, name] < max(least, len(skips)):
            continue
        for edge in skips:
            if edge not in said:
                said.add(edge)
                yield Trouble(
                    "AX203",
                    edge.source,
                    edge.line,
                    f"Reaches past {front.name!r} into {edge.target.name!r} for {name!r}, which "
                    f"{through[front, name]} other imports take from {front.name!r}",
                )


_Name = tuple[Module, str]


def _ways(graph: Graph) -> tuple[Counter[_Name], dict[_Name, list[Edge]]]:
    """How often a name is taken from a package's front, and the imports that reach past it."""
    offered = _offered(graph)
    through: Counter[_Name] = Counter()
    past: dict[_Name, list[Edge]] = {}
    for edge in graph.edges():
        if not edge.is_own:
            continue
        target = edge.target
        if target in offered and _outside(edge.source, target):
            through.update((target, name) for name in edge.names)
        if target.is_package:
            continue  # itself the front of a package further in
        fronts = [f for f in _fronts(graph, target) if _outside(edge.source, f)]
        for front in fronts:
            if offered.get(front, {}).get(target, frozenset()).issuperset(edge.names):
                for name in edge.names:
                    past.setdefault((front, name), []).append(edge)
                break
    return through, past


def _offered(graph: Graph) -> dict[Module, dict[Module, frozenset[str]]]:
    """The public names each package's front takes from its own modules, by module."""
    offered: dict[Module, dict[Module, frozenset[str]]] = {}
    for edge in graph.edges():
        front = edge.source
        if (
            front.is_package
            and edge.at_import
            and edge.target.path[: len(front.path)] == front.path
        ):
            public = frozenset(name for name in edge.names if not _private(name))
            known = offered.setdefault(front, {})
            known[edge.target] = known.get(edge.target, frozenset()) | public
    return offered


def _fronts(graph: Graph, target: Module) -> Iterator[Module]:
    """The packages around a module, nearest first."""
    for at in range(len(target.package), 0, -1):
        front = graph.package(target.path[:at])
        if front is None:
            return
        yield front


def _outside(source: Module, front: Module) -> bool:
    return source.path[: len(front.path)] != front.path


def _degrees(graph: Graph) -> tuple[Counter[Module], Counter[Module]]:
    """How many modules import each module, and how many it imports, tests aside."""
    used: Counter[Module] = Counter()
    uses: Counter[Module] = Counter()
    for module in graph.modules:
        if not module.is_test:
            targets = {e.target for e in module.imports if e.at_run}
            uses[module] = len(targets)
            used.update(targets)
    return used, uses


def god_modules(graph: Graph) -> Iterator[Trouble]:
    """Modules that hold much and are joined to much."""
    limits = RULES["AX204"].limits
    used, uses = _degrees(graph)
    for module in graph.modules:
        if (
            not module.is_test
            and module.size > limits["statements"]
            and uses[module] >= limits["modules imported"]
        ):
            yield Trouble(
                "AX204",
                module,
                1,
                f"{module.name!r} has {module.size} statements beside its imports, imports "
                f"{uses[module]} modules and is imported by {used[module]}",
            )


def hub_modules(graph: Graph) -> Iterator[Trouble]:
    """Modules through which everything goes: many import them, and they import as many."""
    limits = RULES["AX209"].limits
    used, uses = _degrees(graph)
    for module in graph.modules:
        into, out = used[module], uses[module]
        if (
            not module.is_package
            and min(into, out) >= limits["modules on each side"]
            and abs(into - out) < limits["imbalance"] * (into + out)
        ):
            yield Trouble(
                "AX209",
                module,
                1,
                f"{module.name!r} joins {into} modules that import it to {out} it imports",
            )


def unstable_dependencies(graph: Graph) -> Iterator[Trouble]:
    """Stable packages that rest on packages likelier to change than themselves."""
    limits = RULES["AX206"].limits
    users: dict[Path, set[Module]] = {}
    using: dict[Path, set[Module]] = {}
    first: dict[tuple[Path, Path], Edge] = {}
    for edge in graph.edges():
        one, other = edge.source.package, edge.target.package
        if one != other and edge.is_own:
            using.setdefault(one, set()).add(edge.source)
            users.setdefault(other, set()).add(edge.source)
            first.setdefault((one, other), edge)

    def instability(package: Path) -> float:
        out = len(using.get(package, ()))
        return out / (out + len(users.get(package, ())))

    for (one, other), edge in first.items():
        mine, theirs = instability(one), instability(other)
        if mine > limits["instability"] or theirs - mine < limits["margin"]:
            continue
        if len(users.get(one, ())) < limits["dependents"] or not _one_project(graph, one, other):
            continue
        yield Trouble(
            "AX206",
            edge.source,
            edge.line,
            f"Package {one[-1]!r}, on which {len(users[one])} modules rest (instability "
            f"{mine:.2f}), rests on {other[-1]!r} ({theirs:.2f}), which is likelier to change",
        )


def _one_project(graph: Graph, one: Path, other: Path) -> bool:
    """Whether two packages are parts of one, and neither is a part of the other."""
    pair = siblings(one, other)
    return pair is not None and graph.package(pair[0][:-1]) is not None


def private_imports(graph: Graph) -> Iterator[Trouble]:
    """Imports of a private module or name by a module outside the package that owns it, unless
    so many do it that the underscore says something else there."""
    found: dict[tuple[Module, str], dict[Module, tuple[Edge, str]]] = {}
    for edge in graph.edges():
        if edge.is_own:
            for what, owner in _hidden(graph, edge):
                found.setdefault((edge.target, what), {}).setdefault(edge.source, (edge, owner))
    for (_, what), users in found.items():
        if len(users) > RULES["AX207"].limits["modules"]:
            continue
        for edge, owner in users.values():
            yield Trouble(
                "AX207",
                edge.source,
                edge.line,
                f"{what!r} is private to {owner!r}, and this module is no part of it",
            )


def _hidden(graph: Graph, edge: Edge) -> Iterator[tuple[str, str]]:
    """What an import takes that is private to a package around it: the thing and its owner."""
    source, target = edge.source, edge.target
    for at, part in enumerate(target.path):
        if _private(part) and graph.package(target.path[:at]) is not None:
            if source.path[:at] != target.path[:at]:
                yield part, target.path[at - 1]
            return  # what stands inside a private part is open to all who may use the part
    owner = target.package
    if graph.package(owner) is None or source.package[: len(owner)] == owner:
        return
    if owner[: len(source.package)] == source.package:
        return  # a package may look into its own parts
    for name in edge.names:
        if _private(name):
            yield name, target.name


def _private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name != "_"


def test_imports(graph: Graph) -> Iterator[Trouble]:
    """Production modules that import tests."""
    for edge in graph.edges():
        target = edge.target
        if not (target.is_test and edge.at_run) or edge.source.is_aside:
            continue
        if target.path[-1] != "tests" or target.is_package:  # jinja2.tests tests templates
            yield Trouble(
                "AX208", edge.source, edge.line, f"Imports the test module {edge.target.name!r}"
            )


ARCHITECTURE: tuple[Callable[[Graph], Iterator[Trouble]], ...] = (
    import_cycles,
    entangled_packages,
    skipped_layers,
    god_modules,
    unstable_dependencies,
    private_imports,
    test_imports,
    hub_modules,
)
