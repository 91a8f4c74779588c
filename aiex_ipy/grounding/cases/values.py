"""Cases from what a function does with its values: defaults, empty input, indexes, divisors."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator

from aiex_ipy.grounding.cases.case import Case, Tested, short
from aiex_ipy.grounding.cases.conditions import whole_number
from aiex_ipy.grounding.effects import effects_of
from aiex_ipy.grounding.flow import falls_through, handled

_TAKES_ITEMS = frozenset(
    {"sorted", "list", "tuple", "set", "frozenset", "sum", "min", "max", "any", "all"}
    | {"enumerate", "zip", "map", "filter", "reversed", "len", "dict", "iter", "next"}
    | {"Counter", "deque", "fsum", "mean", "median", "chain", "reduce"}
)
_ORDERS = frozenset({"sorted", "min", "max"})
_FAILS_EMPTY = {"min": "ValueError", "max": "ValueError", "next": "StopIteration"}
_NUMBERS = frozenset({"int", "float", "complex", "Decimal", "Fraction"})
_PLAIN_EFFECTS = ("changes self", "logs", "warns", "prints")
_MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


def defaults(at: Tested) -> Iterator[Case]:
    """Yield the parameters that may be left out."""
    args = at.node.args
    positional = [*args.posonlyargs, *args.args]
    pairs = list(zip(positional[::-1], args.defaults[::-1], strict=False))[::-1]
    pairs += [(a, d) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True) if d]
    used = {node.id for node in at.of(ast.Name) if isinstance(node, ast.Name)}
    for arg, default in pairs:
        if arg.arg not in used or (_is_none(default) and _none_is_asked(at, arg.arg)):
            continue
        text = short(default, 40)
        why = ""
        if isinstance(default, _MUTABLE) or _makes_container(default):
            test = f"called twice without `{arg.arg}`"
            why = f"the default `{text}` is one object, shared by all calls"
        elif isinstance(default, ast.Constant) and isinstance(default.value, bool):
            test = f"`{arg.arg}` left out ({text}), and {not default.value}"
        else:
            test = f"`{arg.arg}` left out (`{text}`), and given"
        yield at.case(arg, "default", f"{arg.arg}={text}", test, why)
    if args.vararg is not None and args.vararg.arg in used:
        test = f"no further arguments for `*{args.vararg.arg}`, several"
        yield at.case(args.vararg, "default", f"*{args.vararg.arg}", test)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _makes_container(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and short(node.func) in ("list", "dict", "set", "deque")


def _none_is_asked(at: Tested, name: str) -> bool:
    """True when a condition of the function tells None of a parameter from the rest."""
    for node in at.nodes:
        if isinstance(node, ast.Compare) and short(node.left) == name:
            parts = node.comparators
            if any(_is_none(each) for each in parts):
                return True
        parts = node.values if isinstance(node, ast.BoolOp) else []
        if isinstance(node, ast.If | ast.IfExp):
            parts = [node.test]
        if any(_names_alone(part, name) for part in parts):
            return True
    return False


def _names_alone(test: ast.expr, name: str) -> bool:
    while isinstance(test, ast.UnaryOp):
        test = test.operand
    return isinstance(test, ast.Name) and test.id == name


def inputs(at: Tested) -> Iterator[Case]:
    """Yield what a parameter's value may lack: items, an order, the form of a number."""
    seen: set[tuple[str, str]] = set()
    looped = {short(n.iter) for n in at.nodes if isinstance(n, ast.For | ast.comprehension)}
    for node in at.of(ast.Call):
        name = short(node.func).rpartition(".")[2]
        takes = node.args[0] if node.args else None
        if isinstance(takes, ast.Starred):
            takes = takes.value
        if not isinstance(takes, ast.Name) or takes.id not in at.parameters:
            continue
        what = takes.id
        for kind, test in _asked_of(name, what, node):
            if (what, kind) in seen or (kind == "empty" and what in looped):
                continue
            seen.add((what, kind))
            yield at.case(node, "type" if kind == "type" else "empty", short(node), test)


def _asked_of(name: str, what: str, node: ast.Call) -> Iterator[tuple[str, str]]:
    if name in _TAKES_ITEMS:
        fails = _FAILS_EMPTY.get(name, "")
        safe = any(k.arg == "default" for k in node.keywords) or len(node.args) > 1
        ends = f" ({fails})" if fails and not safe else ""
        other = "" if name == "len" else "; an iterator, which can be read only once"
        yield "empty", f"`{what}` empty{ends}{other}"
    if name in _ORDERS:
        yield (
            "type",
            f"`{what}` in another order, with equal items, with items that cannot be compared "
            "(TypeError); it stays as it is",
        )
    if name in _NUMBERS and len(node.args) == 1:
        yield "type", f"`{what}` as text that is no number, and None"
    if name == "open":
        yield "type", f"`{what}` names no file, a directory, a file that may not be read"


def indexes(at: Tested) -> Iterator[Case]:
    """Yield the indexes and keys that may not be there, one case a line."""
    lines: dict[int, dict[str, ast.Subscript]] = {}
    seen: set[str] = set()
    for node in at.of(ast.Subscript):
        if isinstance(node.ctx, ast.Store) or _is_type(node.value):
            continue
        if isinstance(node.slice, ast.Slice | ast.Tuple) or is_guarded(at, node, node.value):
            continue
        if _is_handled(at, node, {"IndexError", "KeyError", "LookupError", "Exception"}):
            continue
        text = short(node, 40)
        if text not in seen:
            seen.add(text)
            lines.setdefault(node.lineno, {})[text] = node
    for line, found in lines.items():
        ways: dict[str, list[str]] = {}
        for text, node in found.items():
            ways.setdefault(_missing(node), []).append(f"`{text}`")
        test = "; ".join(f"{', '.join(texts)}: {way}" for way, texts in ways.items())
        yield at.case(line, "index", ", ".join(found), test)


def _missing(node: ast.Subscript) -> str:
    """What to try of an index or a key, in words."""
    if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str | bytes):
        return "the key is there, and missing (KeyError)"
    if whole_number(node.slice) in (0, -1):
        return f"`{short(node.value, 40)}` empty (IndexError), and with one item"
    return "the first and the last that is there, and one beyond"


_TAKES_APART = frozenset({"split", "rsplit", "partition", "rpartition", "index", "find", "rfind"})


def texts(at: Tested) -> Iterator[Case]:
    """Yield what a text may lack that is taken apart: the mark it is cut at, blanks around it."""
    trimmed: dict[int, dict[str, None]] = {}
    for node in at.of(ast.Call):
        if not isinstance(node.func, ast.Attribute):
            continue
        what, name = f"`{short(node.func.value, 40)}`", node.func.attr
        mark = node.args[0] if node.args else None
        is_text = isinstance(mark, ast.Constant) and isinstance(mark.value, str | bytes)
        if name in _TAKES_APART and mark is not None and is_text:
            test = f"{what} without {short(mark)}, with it once, several times, at an end"
            yield at.case(node, "type", short(node), test)
        elif name == "strip" and not node.args and not is_guarded(at, node, node):
            trimmed.setdefault(node.lineno, {})[short(node, 40)] = None
    for line, found in trimmed.items():
        on = ", ".join(found)
        yield at.case(line, "type", on, f"blanks around what `{on}` takes, and nothing but blanks")


def _is_type(node: ast.expr) -> bool:
    """True for what is subscripted as a type: `list[int]`, `Callable[…]`."""
    name = short(node).rpartition(".")[2]
    return name in ("list", "dict", "set", "tuple", "type", "frozenset") or name.istitle()


def divisions(at: Tested) -> Iterator[Case]:
    """Yield the divisors that may be nought."""
    seen: set[str] = set()
    for node in at.nodes:
        divisor: ast.expr | None = None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod):
            text = isinstance(node.left, ast.Constant | ast.JoinedStr) and not (
                isinstance(node.left, ast.Constant)
                and isinstance(node.left.value, int | float | complex)
            )
            path = isinstance(node.op, ast.Div) and isinstance(
                node.right, ast.Constant | ast.JoinedStr
            )
            divisor = None if text or path else node.right
        elif isinstance(node, ast.Call) and short(node.func) == "divmod" and len(node.args) == 2:
            divisor = node.args[1]
        if divisor is None or isinstance(divisor, ast.Constant | ast.Tuple | ast.Dict):
            continue
        if _looks_like_text(node):
            continue
        text_of = short(divisor, 40)
        if text_of in seen or _never_nought(at, node, divisor):
            continue
        if _is_handled(at, node, {"ZeroDivisionError", "ArithmeticError", "Exception"}):
            continue
        seen.add(text_of)
        yield at.case(node, "division", short(node), f"`{text_of}` is 0")


def _looks_like_text(node: ast.AST) -> bool:
    """True for `template % values` and `folder / name`, as far as their names tell."""
    if not isinstance(node, ast.BinOp):
        return False
    left = short(node.left).lower()
    if isinstance(node.op, ast.Mod):
        return isinstance(node.right, ast.Dict) or any(
            word in left for word in ("msg", "fmt", "format", "template", "text", "message")
        )
    names = ("path", "dir", "folder", "root", "parent", "file")
    return isinstance(node.op, ast.Div) and any(word in left for word in names)


def _never_nought(at: Tested, node: ast.AST, divisor: ast.expr) -> bool:
    """True when a condition around a division, or one before it that leaves the function, keeps
    0 from the divisor."""
    text = short(divisor)
    below = node
    for holder in at.holders(node):
        if isinstance(holder, ast.If | ast.While | ast.IfExp):
            body = holder.body if isinstance(holder.body, list) else [holder.body]
            passes = _of_nought(holder.test, text)
            if passes is not None and below is not holder.test and passes != (below in body):
                return True
        if isinstance(holder, ast.BoolOp) and below is not holder.values[0]:
            asked = [_of_nought(each, text) for each in holder.values]
            if (not isinstance(holder.op, ast.And)) in asked:
                return True
        below = holder
    line = getattr(node, "lineno", 0)
    return any(
        each.lineno < line and not falls_through(each.body) and _of_nought(each.test, text)
        for each in at.of(ast.If)
    )


def _of_nought(test: ast.expr, text: str) -> bool | None:
    """What a condition gives for a value of 0; None when that rests on something else."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _of_nought(test.operand, text)
        return None if inner is None else not inner
    if isinstance(test, ast.BoolOp):
        decisive = isinstance(test.op, ast.Or)
        return decisive if decisive in [_of_nought(each, text) for each in test.values] else None
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        if short(test.left) in (text, f"len({text})"):
            limit = whole_number(test.comparators[0])
            known = None if limit is None else _NOUGHT.get(type(test.ops[0]))
            return None if known is None or limit is None else known(0, limit)
        return None
    return False if short(test) in (text, f"len({text})") else None


_NOUGHT: dict[type[ast.cmpop], Callable[[int, int], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def is_guarded(at: Tested, node: ast.AST, value: ast.expr) -> bool:
    """True when a condition around a node, or one before it that leaves the function, asks
    whether `value` is empty or nought."""
    text = short(value)
    below = node
    for holder in at.holders(node):
        if isinstance(holder, ast.If | ast.While | ast.IfExp) and _asks(holder.test, text):
            return True
        if isinstance(holder, ast.BoolOp):
            before = holder.values[: next(i for i, v in enumerate(holder.values) if v is below)]
            if any(_asks(each, text) for each in before):
                return True
        if isinstance(holder, ast.For) and text in short(holder.iter):
            return True
        makers = getattr(holder, "generators", [])
        if any(text in short(each.iter) for each in makers):
            return True
        below = holder
    return any(
        isinstance(each, ast.If)
        and each.lineno < getattr(node, "lineno", 0)
        and not falls_through(each.body)
        and _asks(each.test, text)
        for each in at.of(ast.If)
    )


def _asks(test: ast.expr, text: str) -> bool:
    """True when a condition looks at a value: by itself, its length, a comparison, a key in it."""
    if isinstance(test, ast.BoolOp):
        return any(_asks(each, text) for each in test.values)
    if isinstance(test, ast.UnaryOp):
        return _asks(test.operand, text)
    if isinstance(test, ast.Compare):
        return any(
            short(each) in (text, f"len({text})", f"{text}.keys()")
            for each in (test.left, *test.comparators)
        )
    return short(test) in (text, f"len({text})")


def _is_handled(at: Tested, node: ast.AST, names: set[str]) -> bool:
    below = node
    for holder in at.holders(node):
        if isinstance(holder, ast.Try) and below in holder.body:
            if any(names & {*handled(each), ""} for each in holder.handlers):
                return True
            if any("BaseException" in handled(each) for each in holder.handlers):
                return True
        below = holder
    return False


def effects(at: Tested) -> Iterator[Case]:
    """Yield what a test must put in place of the world, or look at besides the result."""
    for effect in effects_of(at.names, at.scope):
        if effect.kind.startswith(_PLAIN_EFFECTS) or effect.via:
            continue
        if effect.kind == "changes argument":
            test = f"`{effect.target}` is changed in place: the caller's own object afterwards"
        else:
            test = f"`{effect.target}` {effect.kind}: put something else in its place"
        yield at.case(effect.line, "effect", effect.target, test)
