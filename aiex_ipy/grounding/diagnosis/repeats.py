"""Statements that ran too often, and those whose result nobody kept."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.discards import bears_on, changes, made_anew
from aiex_ipy.grounding.diagnosis.edit import Code, rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import Function, bindings, cell_text
from aiex_ipy.grounding.diagnosis.parts import doubted, texts_of_code
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.replay import Step, sliced, steps_of
from aiex_ipy.grounding.diagnosis.sight import in_scope, is_a, text_of
from aiex_ipy.grounding.diagnosis.worth import is_plain, worth
from aiex_ipy.grounding.failure.evaluate import Scope
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

MOST_ROWS = 100_000
"""Rows of a column whose order is looked at."""
_GROWING = frozenset({"append", "extend", "insert", "appendleft"})


class _Change:
    """A statement that changed a value from itself: in which cell of the slice, and what."""

    __slots__ = ("order", "place", "statement", "target")

    def __init__(self, order: int, place: str, statement: ast.stmt, target: str) -> None:
        self.order = order
        self.place = place
        self.statement = statement
        self.target = target


def run_again(moment: Moment) -> Iterator[Diagnosis]:
    """A change of a value from itself, `x = x * 2`, in a cell whose text ran more than once."""
    if doubted(moment) is None or moment.error is not None:
        return
    changes: dict[str, list[_Change]] = {}
    made: dict[str, int] = {}
    for order, place, statement in _statements(moment):
        target = _changed_from_itself(statement)
        if target:
            change = _Change(order, place, statement, target)
            changes.setdefault(ast.dump(statement), []).append(change)
            continue
        for name in {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}:
            if bindings([statement], name):
                made[name] = order
    for places in changes.values():
        base = places[0].target.partition("[")[0].partition(".")[0]
        later = [each for each in places if each.order > made.get(base, -1)]
        later = list({each.order: each for each in later}.values())
        if len(later) > 1:
            yield _ran_again(base, later)
            return


def _statements(moment: Moment) -> Iterator[tuple[int, str, ast.stmt]]:
    """The statements of cells that made the doubted value, with their cell's order and name."""
    for order, each in enumerate(sliced(moment)):
        text = cell_text(each.cell)
        for statement in text.tree.body if text is not None else ():
            first, last = statement.lineno, statement.end_lineno or statement.lineno
            matters = any(first <= b and a <= last for a, b in each.lines)
            if text is not None and matters and not isinstance(statement, Function | ast.ClassDef):
                yield order, text.place, statement


def _ran_again(base: str, changes: list[_Change]) -> Diagnosis:
    said, target = text_of(changes[0].statement, 60), changes[0].target
    cells = " and ".join(dict.fromkeys(each.place for each in changes))
    times = "twice" if len(changes) == 2 else f"{len(changes)} times"
    return Diagnosis(
        rule="run-again",
        certainty="likely",
        cause=f"{said} changes {target} from its own value and was run {times} ({cells}), so the "
        f"change was applied {times}.",
        evidence=tuple(
            f"{each.place}, line {each.statement.lineno}: {said}" for each in changes[:4]
        ),
        remedy=f"Make {base} anew and run it once, or give the result another name so that "
        "running the cell again does no harm.",
    )


def _changed_from_itself(statement: ast.stmt) -> str:
    """What a statement changes by its own value, `""` where it does not or where doing it again
    changes nothing."""
    match statement:
        case ast.AugAssign(target=target):
            return text_of(target)
        case ast.Assign(targets=[target], value=value) if not isinstance(target, ast.Tuple):
            name = text_of(target)
            for node in ast.walk(value):
                match node:
                    case ast.BinOp(left=left, right=right) if name in (
                        text_of(left),
                        text_of(right),
                    ):
                        return name
                    case ast.Call(func=func, args=[ast.List(elts=items), *_]) if text_of(
                        func
                    ).rpartition(".")[2] == "concat" and any(
                        text_of(each) == name for each in items
                    ):
                        return name
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr=method))) if (
            method in _GROWING
        ):
            return text_of(owner)
    return ""


_SORTED = frozenset({"sort_values", "sort"})
_TEXT_METHODS = frozenset(
    {
        "upper", "lower", "strip", "lstrip", "rstrip", "replace", "title", "capitalize",
        "casefold", "removeprefix", "removesuffix", "zfill", "ljust", "rjust", "center",
        "format", "translate", "swapcase", "expandtabs",
    }
)  # fmt: skip
_TABLE_METHODS = frozenset(
    {
        "sort_values", "sort_index", "sort", "drop", "dropna", "fillna", "drop_duplicates",
        "rename", "reset_index", "set_index", "replace", "astype", "assign", "clip", "round",
        "reindex", "with_columns", "drop_nulls", "fill_null", "unique", "cast", "interpolate",
        "ffill", "bfill", "shift", "append", "where", "mask",
    }
)  # fmt: skip
_ARRAY_METHODS = frozenset({"astype", "reshape", "clip", "round", "flatten", "transpose", "ravel"})
_FUNCTIONS = frozenset({"sorted", "reversed"})


def discarded_result(moment: Moment) -> Iterator[Diagnosis]:
    """`df.sort_values("a")` as a statement: a new table is made and thrown away."""
    if doubted(moment) is None:
        return
    for node, scope, place, code, top in _statements_alone(moment):
        found = _discarded(node, scope, place, code)
        if found is not None and (not top or _matters(moment, node, scope, code)):
            yield found
            return


def _matters(moment: Moment, node: ast.Expr, scope: Scope, code: Code | None) -> bool:
    """True where the doubted value reads, later on, what the thrown away result would change."""
    asked, call = doubted(moment), node.value
    if asked is None or not isinstance(call, ast.Call):
        return False
    base = _owner(call)
    later = [each.node for each in steps_of(moment) if not _before(each, node, code)]
    later = [each for each in later if each is not node and not isinstance(each, ast.Expr)]
    if base is None or made_anew(base, _after(moment, node, code), scope):
        return False
    if not bears_on(base, call, [asked, *later], scope):
        return False
    return changes(base, call, asked, scope) is not False


def _after(moment: Moment, node: ast.Expr, code: Code | None) -> Iterator[ast.AST]:
    """The statements at the top of the cells, or of the file, that ran after one."""
    here = code.source if code is not None else None
    for other, tree, _ in texts_of_code(moment, "="):
        there = other.source
        if here is None or there is None or (here.cell is None) != (there.cell is None):
            continue
        later = here.cell is not None and there.cell is not None and there.cell > here.cell
        same = (here.cell, here.file) == (there.cell, there.file)
        for each in tree.body:
            if later or (same and each.lineno > node.lineno):
                yield each


def _before(step: Step, node: ast.Expr, code: Code | None) -> bool:
    """True for a step that ran before a statement, as the numbers of their cells tell it."""
    if code is None or step.code is None or step.function:
        return False
    a, b = step.code.source, code.source
    if a is None or b is None or a.cell is None or b.cell is None:
        return a is not None and b is not None and a.file == b.file and step.line < node.lineno
    return (a.cell, step.line) < (b.cell, node.lineno)


def _owner(call: ast.Call) -> ast.expr | None:
    """The expression whose value a call gives anew."""
    match call.func:
        case ast.Attribute(value=ast.Attribute(value=inner, attr="str")):
            return inner
        case ast.Attribute(value=owner):
            return owner
        case ast.Name() if call.args:
            return call.args[0]
    return None


def _statements_alone(
    moment: Moment,
) -> Iterator[tuple[ast.Expr, Scope, str, Code | None, bool]]:
    """Expressions that ran as statements: in the functions called, then those at the top (True)
    that have to do with what made the value."""
    failed = {each.number for each in moment.cells if not each.ok}
    steps = steps_of(moment)
    used = {n.id for each in steps for n in ast.walk(each.node) if isinstance(n, ast.Name)}
    for step in steps:
        if step.function and isinstance(step.node, ast.Expr):
            yield step.node, step.scope, step.place, step.code, False
    for code, tree, place in texts_of_code(moment, "("):
        frame = code if isinstance(code, LiveFrame) else None
        if frame is None and code.source is not None and code.source.cell in failed:
            continue
        scope = Scope(frame.locals, frame.globals) if frame is not None else Scope(moment.names)
        for node in in_scope(tree.body):
            if not isinstance(node, ast.Expr) or (frame is not None and node.lineno >= frame.line):
                continue
            if {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & used:
                yield node, scope, f"{place}, line {node.lineno}", code, True


def _discarded(node: ast.Expr, scope: Scope, place: str, code: Code | None) -> Diagnosis | None:
    call = node.value
    if not isinstance(call, ast.Call):
        return None
    if any(each.arg == "inplace" for each in call.keywords):
        return None
    match call.func:
        case ast.Attribute(value=owner, attr=method):
            pass
        case ast.Name(id=method) if method in _FUNCTIONS and call.args:
            owner = call.args[0]
        case _:
            return None
    base = owner.value if isinstance(owner, ast.Attribute) and owner.attr == "str" else owner
    told, value = worth(base, scope)
    if not told or not _keeps(value, method, call, scope, text=base is not owner):
        return None
    label, whole = text_of(base, 40), text_of(call.func, 40)
    fix = None
    named = isinstance(base, ast.Name | ast.Subscript | ast.Attribute) and method != "reversed"
    if code is not None and named:
        text = f"{segment(code, base)} = {segment(code, call)}"
        fix = rewritten(code, f"{label} = …", (call, text))
    return Diagnosis(
        rule="discarded-result",
        certainty="likely",
        cause=f"{whole}() returns a new {_what(value)} and leaves {label} as it is; its result is "
        f"not assigned ({place}), so it is thrown away.",
        evidence=(f"{place}: {text_of(node, 60)}", *_still(value, method, call, scope, label)),
        remedy=f"Keep it: {label} = {text_of(call, 60)}.",
        fix=fix,
    )


def _what(value: Any) -> str:
    for name, dotted in (("DataFrame", "pandas.DataFrame"), ("DataFrame", "polars.DataFrame")):
        if is_a(value, dotted):
            return name
    return type(value).__name__


def _keeps(value: Any, method: str, call: ast.Call, scope: Scope, *, text: bool) -> bool:
    """True where the method gives something new that differs from what there is."""
    if type(value) is str:
        return method in _TEXT_METHODS and _differs_text(value, method, call, scope)
    if method in _FUNCTIONS:
        if type(value) is not list or not all(type(v) in {int, float, str} for v in value[:1000]):
            return False
        return method == "reversed" or sorted(value[:1000]) != value[:1000]
    if is_a(value, "pandas.Series") and text:
        return method in _TEXT_METHODS
    if is_a(value, "numpy.ndarray"):
        return method in _ARRAY_METHODS
    if is_a(value, "pandas.DataFrame") or is_a(value, "pandas.Series"):
        return method in _TABLE_METHODS and _differs(value, call, scope)
    return is_a(value, "polars.DataFrame") and method in _TABLE_METHODS


def _differs_text(value: str, method: str, call: ast.Call, scope: Scope) -> bool:
    given = [worth(each, scope) for each in call.args]
    if len(value) > 10_000 or call.keywords or not all(ok and type(v) is str for ok, v in given):
        return True
    try:
        return bool(getattr(value, method)(*(v for _, v in given)) != value)
    except (TypeError, ValueError):
        return False


def _differs(value: Any, call: ast.Call, scope: Scope) -> bool:
    """Whether a method of a small table would change it; True where that cannot be told."""
    assert isinstance(call.func, ast.Attribute)
    if not is_plain(value):
        return True
    told, new = worth(call, scope)
    return not told or type(new) is not type(value) or not bool(value.equals(new))


def _still(value: Any, method: str, call: ast.Call, scope: Scope, label: str) -> Iterator[str]:
    """A fact that shows that the value was not changed."""
    given = worth(call.args[0], scope)[1] if call.args else None
    if method in _SORTED and is_a(value, "pandas.DataFrame") and type(given) is str:
        column = worth(ast.Subscript(ast.Name(id="_"), ast.Constant(given)), Scope({"_": value}))
        if column[0] and len(value) <= MOST_ROWS and not column[1].is_monotonic_increasing:
            yield f"{label} is not sorted by {given!r}"
    elif method == "dropna" and is_plain(value) and bool(value.isna().to_numpy().any()):
        yield f"{label} still has missing values"
