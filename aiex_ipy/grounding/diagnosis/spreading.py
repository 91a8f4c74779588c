"""One sequence where several arguments are wanted, or the other way round; texts split into another
number of parts than there are names."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aiex_ipy.grounding.diagnosis.calls import parameters
from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    cut,
    length,
    matches,
    nodes_at_fault,
    shown,
    text_of,
    type_name,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.masking import Mask
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

APART = {
    "gather": "awaitables",
    "join": "parts of the path",
    "joinpath": "parts of the path",
    "Path": "parts of the path",
    "PurePath": "parts of the path",
}
"""Functions that take their values as separate arguments. `join` is that of `os.path`."""
TOGETHER = frozenset({"sum", "any", "all", "sorted", "list", "tuple", "set", "frozenset", "wait"})
"""Functions that take one iterable of values."""
MOST_PARTS = 12


def sequence_for_arguments(moment: Moment) -> Iterator[Diagnosis]:
    """`gather(tasks)`, `os.path.join(parts)`, `f(point)`: the star is missing; `sum(1, 2)`."""
    frame = moment.frame
    if frame is None or type(moment.error) is not TypeError:
        return
    for call in nodes_at_fault(frame, ast.Call):
        name = text_of(call.func).rpartition(".")[2]
        if any(isinstance(each, ast.Starred) for each in call.args):
            continue
        if len(call.args) == 1 and not call.keywords:
            yield from _unspread(moment, frame, call, name)
        elif name in TOGETHER and len(call.args) > 1:
            yield from _together(moment, frame, call, name)
        elif name == "append" and matches(moment, TypeError, r"append\(\) takes exactly one"):
            items = ", ".join(segment(frame, each) for each in call.args)
            base = segment(frame, call.func.value) if isinstance(call.func, ast.Attribute) else ""
            yield Diagnosis(
                rule="several-for-one",
                certainty="certain",
                cause=f"append() adds one value, and {text_of(call)} gives it {len(call.args)}.",
                evidence=(f"{where(frame)}: {text_of(call)}",),
                remedy="Call extend([…]) to add each, or append((…)) to add one tuple.",
                fix=rewritten(frame, "extend", (call, f"{base}.extend([{items}])")),
            )


def _unspread(moment: Moment, frame: LiveFrame, call: ast.Call, name: str) -> Iterator[Diagnosis]:
    argument = call.args[0]
    known, value = value_of(argument, frame)
    made = isinstance(argument, ast.List | ast.ListComp | ast.GeneratorExp | ast.Tuple)
    if not made and (not known or type(value) not in {list, tuple, dict}):
        return
    label, func = text_of(argument, 40), text_of(call.func)
    if name in APART:
        said = r"unhashable type: '(list|dict|generator)'|awaitable is required"
        if name != "gather":
            said = r"(expected str|argument should be a str|join\(\) argument).*(list|tuple)"
        if not matches(moment, TypeError, said):
            return
        what, star = APART[name], "*"
    else:
        wanted = matches(moment, TypeError, r"missing (\d+) required positional argument")
        called = value_of(call.func, frame)
        names = [p.name for p in parameters(called[1]) if p.default is p.empty] if called[0] else []
        if wanted is None or len(names) != int(wanted[1]) + 1:
            return
        if type(value) is dict:
            if not set(names) <= set(value):
                return
            what, star = f"arguments {', '.join(names)} by name", "**"
        elif length(value) == len(names):
            what, star = f"{len(names)} arguments {', '.join(names)}", "*"
        else:
            return
    kind = type_name(value) if known else "sequence"
    yield Diagnosis(
        rule="one-for-several",
        certainty="certain",
        cause=f"{func}() takes the {what} as separate arguments, and gets one {kind}, {label}"
        f"{f' ({shown(value, label)})' if known and not made else ''}: it has to be unpacked.",
        evidence=(
            *told(traced(moment, frame, argument)),
            f"{where(frame)}: {text_of(call)}",
        ),
        remedy=f"Unpack it with a star: {func}({star}{label}).",
        fix=rewritten(frame, star, (argument, f"{star}{segment(frame, argument)}")),
    )


def _together(moment: Moment, frame: LiveFrame, call: ast.Call, name: str) -> Iterator[Diagnosis]:
    said = (
        r"is not iterable|expected at most 1 argument|expected 1 argument|takes exactly one|"
        r"takes 1 positional|can't sum|positional arguments? but"
    )
    if not matches(moment, TypeError, said):
        return
    values = [value_of(each, frame) for each in call.args]
    if not all((known and length(v) is None) or isinstance(v, str) for known, v in values):
        return
    items = ", ".join(segment(frame, each) for each in call.args)
    func = text_of(call.func)
    yield Diagnosis(
        rule="several-for-one",
        certainty="certain",
        cause=f"{func}() takes one list (iterable) of values, and gets {len(call.args)} separate "
        "arguments.",
        evidence=(f"{where(frame)}: {text_of(call)}",),
        remedy=f"Put them into a list: {func}([…]).",
        fix=rewritten(frame, "list", (call, f"{segment(frame, call.func)}([{items}])")),
    )


def split_parts(moment: Moment) -> Iterator[Diagnosis]:
    """A text that `split` cuts into more or fewer parts than there are names for."""
    frame = moment.frame
    if frame is None or not matches(moment, ValueError, r"values to unpack"):
        return
    for node, target, base, call in _splits(frame):
        known, text = value_of(base, frame)
        separator = value_of(call.args[0], frame) if call.args else (True, None)
        if not known or type(text) is not str or not separator[0]:
            continue
        if not isinstance(separator[1], str | None) or separator[1] == "":
            continue
        parts, wanted = text.split(separator[1]), len(target.elts)
        if len(parts) != wanted:
            yield _miscut(moment, frame, node, target, call, text, separator[1], parts)
            return


Target = ast.Tuple | ast.List


def _splits(frame: LiveFrame) -> Iterator[tuple[ast.AST, Target, ast.expr, ast.Call]]:
    nodes: list[ast.AST] = [*nodes_at_fault(frame, ast.AST)]
    if frame.tree is not None:
        nodes += [n for n in ast.walk(frame.tree) if getattr(n, "lineno", 0) == frame.line]
    for node in nodes:
        match node:
            case ast.Assign(
                targets=[ast.Tuple() | ast.List() as target],
                value=ast.Call(func=ast.Attribute(value=base, attr="split" | "rsplit")) as call,
            ) if len(call.args) < 2 and not call.keywords:
                if not any(isinstance(each, ast.Starred) for each in target.elts):
                    yield node, target, base, call


def _miscut(
    moment: Moment,
    frame: LiveFrame,
    node: ast.AST,
    target: Target,
    call: ast.Call,
    text: str,
    separator: str | None,
    parts: list[str],
) -> Diagnosis:
    wanted, base = len(target.elts), call.func.value  # type: ignore[attr-defined]
    mask = Mask((frame.locals, frame.globals))
    listed = mask.text(cut(repr(parts[:MOST_PARTS]), 120))
    more, fix = len(parts) > wanted, None
    if more:
        inner = "None" if separator is None else segment(frame, call.args[0])
        method = f"{segment(frame, base)}.{text_of(call.func).rpartition('.')[2]}"
        fix = rewritten(frame, "maxsplit", (call, f"{method}({inner}, {wanted - 1})"))
    why = f"has {len(parts) - 1} {separator!r}"
    if separator is None:
        why = f"has {len(parts)} word{'s' * (len(parts) != 1)}"
    if not text.strip():
        why = "is empty"
    return Diagnosis(
        rule="split-parts",
        certainty="certain",
        cause=f"The text {mask.text(shown(text, text_of(base)))} {why}, so {text_of(call, 40)} "
        f"gives {len(parts)} part{'s' * (len(parts) != 1)}, {listed}, and {text_of(target)} takes "
        f"{wanted}.",
        evidence=(*told(traced(moment, frame, base)), f"{where(frame)}: {text_of(node, 60)}"),
        remedy=f"Split {wanted - 1} time{'s' * (wanted != 2)} at most (maxsplit={wanted - 1}), or "
        "use partition."
        if more
        else "Skip texts (lines) without it, or use partition, which always gives three parts.",
        fix=fix,
    )
