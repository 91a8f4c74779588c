"""What the code of cells tells: chance without a seed, places on one machine, late imports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from aiex_ipy.grounding.dataflow.cell_text import cell_text
from aiex_ipy.grounding.health.record import SavedCell, Trouble
from aiex_ipy.grounding.tree import nodes_in

_HOME = re.compile(
    r"(?:file://)?/(?:home|Users)/[\w.-]+/\S|/root/\S|[A-Za-z]:[\\/]{1,2}[\w .-]+[\\/]|"
    r"/(?:content/drive|mnt|Volumes|media)/[\w.-]+/\S"
)
_SEEDS = frozenset(
    {
        "random.seed",
        "numpy.random.seed",
        "torch.manual_seed",
        "torch.random.manual_seed",
        "torch.cuda.manual_seed_all",
        "tensorflow.random.set_seed",
        "keras.utils.set_random_seed",
    }
)
_GLOBAL_DRAWS = {
    "random": "random randint randrange choice choices sample shuffle uniform gauss normalvariate "
    "expovariate betavariate triangular getrandbits randbytes",
    "numpy.random": "rand randn randint random random_sample choice shuffle permutation normal "
    "uniform poisson binomial exponential beta gamma standard_normal multivariate_normal sample",
    "torch": "rand randn randint randperm normal bernoulli multinomial",
}
_DRAWS = {f"{top}.{word}": top for top, words in _GLOBAL_DRAWS.items() for word in words.split()}
_GENERATORS = frozenset({"numpy.random.default_rng", "random.Random", "numpy.random.RandomState"})
_WITH_STATE = frozenset(
    {"train_test_split", "ShuffleSplit", "StratifiedShuffleSplit", "KMeans", "MiniBatchKMeans"}
    | {"RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier"}
    | {"ExtraTreesRegressor", "MLPClassifier", "MLPRegressor", "SGDClassifier", "SGDRegressor"}
    | {"GaussianMixture", "TSNE", "make_classification", "make_regression", "make_blobs"}
    | {"make_moons", "make_circles", "shuffle", "resample"}
)


def code_troubles(cells: Sequence[SavedCell]) -> Iterator[Trouble]:
    """Yield what the cells' code tells, in their order."""
    yield from _randomness(cells)
    yield from _late_imports(cells)
    yield from _kinds(cells)
    for cell in cells:
        yield from _paths(cell)


def _randomness(cells: Sequence[SavedCell]) -> Iterator[Trouble]:
    imported: dict[str, str] = {}
    calls: list[tuple[SavedCell, ast.Call, str]] = []
    for cell in cells:
        for node in _nodes(cell):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name if alias.asname else alias.name.partition(".")[0]
                    imported[alias.asname or top] = top
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    imported[alias.asname or alias.name] = f"{node.module}.{alias.name}"
            elif isinstance(node, ast.Call):
                calls.append((cell, node, _dotted(node.func)))
    named = [(cell, node, _full(name, imported)) for cell, node, name in calls]
    seeded = {name.rpartition(".")[0] for _, _, name in named if name in _SEEDS}
    told: set[str] = set()
    for cell, node, name in named:
        what = _unseeded(node, name, seeded)
        if what and what not in told:
            told.add(what)
            yield Trouble(rule="AX305", cell=cell.number, line=node.lineno, message=what)


def _unseeded(node: ast.Call, name: str, seeded: set[str]) -> str:
    """Return what is said of a call that draws without a seed, or `""`."""
    top = _DRAWS.get(name)
    if top is not None:
        return "" if top in seeded else f"`{name}` draws from a generator that no cell seeds"
    words = {each.arg for each in node.keywords}
    if name in _GENERATORS and not node.args and "seed" not in words:
        return f"`{name}()` without a seed gives other numbers with every run"
    if "numpy.random" in seeded or {"random_state", "seed", None} & words:
        return ""
    last = name.rpartition(".")[2]
    if name.startswith("sklearn.") and last in _WITH_STATE and not _stays_in_order(node):
        return f"`{last}` without `random_state` comes out differently with every run"
    if getattr(node.func, "attr", "") == "sample" and {"n", "frac"} & words:
        return "`sample` without `random_state` takes other rows with every run"
    return ""


def _stays_in_order(node: ast.Call) -> bool:
    return any(
        each.arg == "shuffle" and getattr(each.value, "value", True) is False
        for each in node.keywords
    )


def _late_imports(cells: Sequence[SavedCell]) -> Iterator[Trouble]:
    """Imports in a cell below the first one that does something else, which import nothing that
    came before."""
    working = False
    for cell in cells:
        for statement in cell_text(cell.code).body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                names = ", ".join(each.name for each in statement.names)
                if working:
                    module = getattr(statement, "module", "") or names
                    yield Trouble(
                        rule="AX310",
                        cell=cell.number,
                        line=statement.lineno,
                        message=f"`{module}` is imported in the middle of the notebook",
                    )
            elif not _prepares(statement):
                working = True


def _prepares(statement: ast.stmt) -> bool:
    """True for what stands among imports: settings, constants, guards, path changes, magics."""
    if isinstance(statement, ast.Try | ast.If | ast.With):
        return any(isinstance(at, ast.Import | ast.ImportFrom) for at in nodes_in(statement))
    if isinstance(statement, ast.Expr):
        value = statement.value
        if isinstance(value, ast.Call):  # `warnings.filterwarnings("ignore")`
            return isinstance(value.func, ast.Attribute)
        return isinstance(value, ast.Constant | ast.Name)
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        return statement.value is None or all(
            not isinstance(at, ast.Call) for at in (statement.value, *nodes_in(statement.value))
        )
    return isinstance(statement, ast.Pass)


def _kinds(cells: Sequence[SavedCell]) -> Iterator[Trouble]:
    """Names that are a function, class or module in one cell and something else in another."""
    kinds: dict[str, tuple[str, int]] = {}
    told: set[str] = set()
    for cell in cells:
        for statement in cell_text(cell.code).body:
            for name, kind in _bound(statement):
                before, where = kinds.get(name, (kind, cell.number))
                if before != kind and where != cell.number and name not in told:
                    told.add(name)
                    yield Trouble(
                        rule="AX304",
                        cell=cell.number,
                        line=statement.lineno,
                        message=f"`{name}` was {before} in cell {where} and becomes {kind}",
                    )
                kinds[name] = (kind, cell.number)


def _bound(statement: ast.stmt) -> Iterator[tuple[str, str]]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        yield statement.name, "a function"
    elif isinstance(statement, ast.ClassDef):
        yield statement.name, "a class"
    elif isinstance(statement, ast.Import):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0], "a module"
    elif isinstance(statement, ast.Assign) and not isinstance(statement.value, ast.Lambda):
        for target in statement.targets:
            if isinstance(target, ast.Name) and not _wraps(statement.value, target.id):
                yield target.id, "a value"


def _wraps(value: ast.expr, name: str) -> bool:
    """True for `f = cache(f)`: it may be a function still; and for one name given to another."""
    if isinstance(value, ast.Name | ast.Attribute):
        return True
    return isinstance(value, ast.Call) and any(
        isinstance(arg, ast.Name) and arg.id == name for arg in value.args
    )


def _paths(cell: SavedCell) -> Iterator[Trouble]:
    for node in _nodes(cell):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = _HOME.match(node.value) if "\n" not in node.value else None
            if found is not None and len(node.value) < 1000:
                shown = node.value if len(node.value) <= 80 else f"{node.value[:79]}…"
                yield Trouble(
                    rule="AX306",
                    cell=cell.number,
                    line=node.lineno,
                    message=f"`{shown}` is a place on one machine",
                )


def _nodes(cell: SavedCell) -> Iterator[ast.AST]:
    for statement in cell_text(cell.code).body:
        yield statement
        yield from nodes_in(statement)


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


def _full(name: str, imported: dict[str, str]) -> str:
    """Return a dotted name with what its root was imported as, `""` for one not imported."""
    root, dot, rest = name.partition(".")
    return f"{imported[root]}{dot}{rest}" if root in imported else ""
