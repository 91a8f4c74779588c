"""Cases from conditions: both sides of a branch, each part of it, the boundaries of comparisons.

Source: boundary value analysis and modified condition/decision coverage, as G. J. Myers, "The Art
of Software Testing", and RTCA DO-178C describe them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aiex_ipy.grounding.cases.case import Case, Kind, Tested, outcome, short

_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.LtE: ast.GtE,
    ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
}


def conditions(at: Tested) -> Iterator[Case]:
    """Yield the branches and boundaries of a function."""
    for node in at.nodes:
        if isinstance(node, ast.If) and not _is_for_readers(node):
            yield from _branch(at, node.test, outcome(node.body), _otherwise(node))
        elif isinstance(node, ast.IfExp):
            yield from _branch(at, node.test, f"`{short(node.body)}`", f"`{short(node.orelse)}`")
        elif isinstance(node, ast.While) and isinstance(node.test, ast.BoolOp):
            yield from _branch(at, node.test, "another round", "the loop ends")
        elif isinstance(node, ast.comprehension):
            for test in node.ifs:
                yield from _branch(at, test, "the item is kept", "it is left out")
        elif isinstance(node, ast.match_case) and node.guard is not None:
            yield from _branch(at, node.guard, outcome(node.body), "the next case is tried")
        elif isinstance(node, ast.BoolOp) and not _decides(at, node):
            yield from _fallback(at, node)
        if isinstance(node, ast.Compare):
            yield from boundaries(at, node)


def _otherwise(node: ast.If) -> str:
    if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        return f"the condition in line {node.orelse[0].lineno} decides"
    return outcome(node.orelse)


def _is_for_readers(node: ast.If) -> bool:
    """True for conditions no test can change."""
    return short(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING", "False", "True")


def _decides(at: Tested, node: ast.BoolOp) -> bool:
    """True for an `and` or `or` that is a part of a condition, which is told with it."""
    below: ast.AST = node
    for holder in at.holders(node):
        if isinstance(holder, ast.BoolOp | ast.UnaryOp | ast.Assert):
            below = holder
            if isinstance(holder, ast.Assert):
                return True
            continue
        if isinstance(holder, ast.If | ast.IfExp | ast.While):
            return below is holder.test
        if isinstance(holder, ast.comprehension):
            return below in holder.ifs
        return isinstance(holder, ast.match_case)
    return False


def _branch(at: Tested, test: ast.expr, true: str, false: str) -> Iterator[Case]:
    """Yield one case for a simple condition, one per line for one of several parts. Comparisons
    of order are left to their boundaries, a lone condition that raises to what it raises."""
    ends = "; ".join(f"{side}: {what}" for side, what in (("true", true), ("false", false)) if what)
    parts = _parts(test)
    if len(parts) == 1:
        atom = parts[0][0]
        if not (is_order(atom) or true.startswith("raises ")):
            kind, text = _sides(atom)
            yield at.case(test, kind, short(test), text, ends)
        return
    lines: dict[int, list[tuple[ast.expr, ast.boolop]]] = {}
    for atom, operator in parts:
        lines.setdefault(atom.lineno, []).append((atom, operator))
    for line, found in lines.items():
        plain = [pair for pair in found if not is_order(pair[0])]
        if plain:
            texts = [_alone(atom, operator) for atom, operator in plain]
            on = ", ".join(short(atom, 40) for atom, _ in plain)
            yield at.case(line, "branch", on, "; ".join(texts), ends)


def _parts(test: ast.expr, within: ast.boolop | None = None) -> list[tuple[ast.expr, ast.boolop]]:
    """The parts of a condition joined by `and` and `or`, each with the word that joins it."""
    bare = test
    while isinstance(bare, ast.UnaryOp) and isinstance(bare.op, ast.Not):
        bare = bare.operand
    if isinstance(bare, ast.BoolOp):
        return [part for value in bare.values for part in _parts(value, bare.op)]
    return [(test, within or ast.And())]


def _alone(atom: ast.expr, operator: ast.boolop) -> str:
    text = short(atom, 40)
    if isinstance(operator, ast.And):
        return f"`{text}` false, the parts beside it true"
    return f"`{text}` true, the parts beside it false"


_Sides = dict[type[ast.cmpop], tuple[str, str]]
_SIDES: _Sides = {
    ast.Is: ("{left} is {right}, and is not", ""),
    ast.IsNot: ("{left} is {right}, and is not", ""),
    ast.Eq: ("{left} equal to {right}, and another value", ""),
    ast.NotEq: ("{left} equal to {right}, and another value", ""),
    ast.In: ("{left} in {right}, and not in it", ""),
    ast.NotIn: ("{left} in {right}, and not in it", ""),
}


def _sides(atom: ast.expr) -> tuple[Kind, str]:
    """The two sides of a simple condition in words, and the kind of the case."""
    bare = atom
    while isinstance(bare, ast.UnaryOp) and isinstance(bare.op, ast.Not):
        bare = bare.operand
    if isinstance(bare, ast.Compare) and len(bare.ops) == 1:
        words = _SIDES.get(type(bare.ops[0]))
        if words is not None:
            left, right = f"`{short(bare.left, 40)}`", f"`{short(bare.comparators[0], 40)}`"
            return "branch", words[0].format(left=left, right=right)
    if isinstance(bare, ast.Call):
        name = short(bare.func, 40)
        if name in ("isinstance", "issubclass") and len(bare.args) == 2:
            types = bare.args[1]
            each = types.elts if isinstance(types, ast.Tuple) else [types]
            words_of_types = ", ".join(f"`{short(item, 40)}`" for item in each)
            what = f"`{short(bare.args[0], 40)}`"
            return "type", f"{what} of the type {words_of_types}, and of another"
        if name == "hasattr" and len(bare.args) == 2:
            what = f"`{short(bare.args[0], 40)}`"
            return "type", f"{what} with the attribute {short(bare.args[1], 40)}, and without"
        return "branch", f"`{short(bare)}` true and false"
    if isinstance(bare, ast.Name | ast.Attribute | ast.Subscript):
        return "branch", f"`{short(bare)}` true, and false (empty, 0 or None)"
    return "branch", f"`{short(bare)}` true and false"


def _fallback(at: Tested, node: ast.BoolOp) -> Iterator[Case]:
    """Yield the case of a value chosen by `or` or `and`."""
    if isinstance(node.op, ast.Or):
        *firsts, last = node.values
        on = ", ".join(f"`{short(each, 30)}`" for each in firsts)
        test = f"{on} true, and false (empty, 0 or None): then `{short(last, 40)}`"
    else:
        first, *_ = node.values
        test = f"`{short(first, 40)}` true, and false: then the rest is not looked at"
    yield at.case(node, "branch", short(node), test)


def is_order(node: ast.expr) -> bool:
    """True for a comparison by `<`, `<=`, `>`, `>=` of values that have neighbours."""
    return (
        isinstance(node, ast.Compare)
        and any(type(op) in _MIRRORED for op in node.ops)
        and not any(isinstance(each, ast.Tuple) for each in (node.left, *node.comparators))
    )


def boundaries(at: Tested, node: ast.Compare) -> Iterator[Case]:
    """Yield a case for each boundary of a comparison, with the values on both sides of it."""
    if not is_order(node):
        if len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq) and _is_size(node.left):
            count = whole_number(node.comparators[0])
            if count is not None:
                near = [str(each) for each in (count - 1, count, count + 1) if each >= 0]
                test = f"`{short(node.left)}` of {_listed(near)}"
                yield at.case(node, "boundary", short(node), test)
        return
    sides = [node.left, *node.comparators]
    for left, op, right in zip(sides, node.ops, sides[1:], strict=False):
        if type(op) in _MIRRORED:
            text = _boundary(left, type(op), right)
            yield at.case(left, "boundary", short(node), text, _consequence(at, node))


def _boundary(left: ast.expr, op: type[ast.cmpop], right: ast.expr) -> str:
    if whole_number(left) is not None or isinstance(left, ast.Constant):
        left, op, right = right, _MIRRORED[op], left
    what = f"`{short(left, 40)}`"
    limit = whole_number(right)
    if limit is not None:
        values = [limit - 1, limit, limit + 1]
        if _is_size(left):
            values = [each for each in values if each >= 0]
        last = limit - 1 if op is ast.Lt else limit
        first = limit + 1 if op is ast.Gt else limit
        holds = f"up to {last}" if op in (ast.Lt, ast.LtE) else f"from {first}"
        return f"{what} at {_listed([str(each) for each in values])}: true {holds}"
    if isinstance(right, ast.Constant) and isinstance(right.value, float):
        equal = "true" if op in (ast.LtE, ast.GtE) else "false"
        return f"{what} just below, at and just above {right.value!r}: at it {equal}"
    other = f"`{short(right, 40)}`"
    equal = "true" if op in (ast.LtE, ast.GtE) else "false"
    return (
        f"{what} one less than {other}, equal to it, and one more (`{short(right, 40)}` + 1): "
        f"when equal, {equal}"
    )


def _consequence(at: Tested, node: ast.Compare) -> str:
    """What the two sides of a comparison do where it alone is a condition."""
    holder = at.parsed.parent(node)
    if isinstance(holder, ast.If) and holder.test is node:
        ends = (("true", outcome(holder.body)), ("false", _otherwise(holder)))
        return "; ".join(f"{side}: {what}" for side, what in ends if what)
    return ""


def whole_number(node: ast.expr) -> int | None:
    """Return the value of an integer literal, None for anything else."""
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return sign * node.value
    return None


def _is_size(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and short(node.func) == "len"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
