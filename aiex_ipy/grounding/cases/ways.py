"""Cases from what a function does besides deciding: loops, handlers, errors, waits, results."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aiex_ipy.grounding.calling import is_recursive
from aiex_ipy.grounding.cases.case import Case, Tested, outcome, short
from aiex_ipy.grounding.flow import handled, returns
from aiex_ipy.grounding.raising import raised
from aiex_ipy.grounding.tree import nodes_in

CALLS_NAMED = 3
"""How many calls of a `try` a case names."""


def loops(at: Tested) -> Iterator[Case]:
    """Yield the rounds of each loop: none, one, several, and how it is left."""
    for node in at.nodes:
        if isinstance(node, ast.For | ast.AsyncFor):
            over = short(node.iter)
            why = _bound_in_loop(at, node)
            test = f"`{over}` gives no item, one, several"
            yield at.case(
                node, "loop", f"for {short(node.target)} in {over}", test + _ends(node), why
            )
        elif isinstance(node, ast.While):
            text = short(node.test)
            if isinstance(node.test, ast.Constant) and node.test.value:
                test = "the loop is left in its first round, and in a later one"
                yield at.case(node, "loop", f"while {text}", test)
                continue
            test = f"`{text}` false at once (no round), one round, several"
            yield at.case(node, "loop", f"while {text}", test + _ends(node))
        elif isinstance(node, ast.comprehension) and _root(node.iter) in at.parameters:
            test = f"`{short(node.iter)}` gives no item, one, several"
            yield at.case(node.iter, "loop", f"for … in {short(node.iter)}", test)


def _ends(node: ast.For | ast.AsyncFor | ast.While) -> str:
    """The ways out of a loop besides its end, in words."""
    leaving = [each.lineno for each in _breaks(node.body)]
    if not leaving:
        return ""
    lines = ", ".join(str(line) for line in leaving)
    last = f" (then line {node.orelse[0].lineno} runs)" if node.orelse else ""
    return f"; left by `break` (line {lines}), and run to its end{last}"


def _breaks(body: list[ast.stmt]) -> Iterator[ast.Break]:
    """Yield the `break`s of this loop, not those of loops inside it."""
    for statement in body:
        if isinstance(statement, ast.Break):
            yield statement
        elif isinstance(statement, ast.For | ast.AsyncFor | ast.While):
            yield from _breaks(statement.orelse)
        else:
            for name in ("body", "orelse", "finalbody"):
                yield from _breaks(getattr(statement, name, []))
            for part in (*getattr(statement, "handlers", []), *getattr(statement, "cases", [])):
                yield from _breaks(part.body)


def _bound_in_loop(at: Tested, loop: ast.For | ast.AsyncFor) -> str:
    """Say which name is bound in a loop alone and used after it: without a round it is missing."""
    end = loop.end_lineno or loop.lineno
    inside: set[str] = set()
    before = set(at.parameters)
    after: dict[str, int] = {}
    for node in at.of(ast.Name):
        stored = not isinstance(node.ctx, ast.Load)
        if loop.lineno <= node.lineno <= end:
            if stored:
                inside.add(node.id)
        elif stored and (node.lineno < loop.lineno or node.id not in after):
            before.add(node.id)
        elif node.lineno > end:
            after.setdefault(node.id, node.lineno)
    for name in sorted(inside - before):
        if name in after and not loop.orelse:
            return f"`{name}` is bound in the loop alone and used in line {after[name]}"
    return ""


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def errors(at: Tested) -> Iterator[Case]:
    """Yield the exceptions raised on purpose, and those that are handled."""
    for each in raised(at.parsed, at.node):
        if each.condition.startswith("on "):
            continue  # told with its handler
        when = f"{each.condition}" if each.condition else "when this line is reached"
        if each.text.startswith("assert "):
            when = f"when `{each.text.removeprefix('assert ')}` is false"
        ending = "; it is caught in the function itself" if each.caught else ""
        test = f"raises {each.name} {when}{ending}"
        yield at.case(each.line, "raise", each.text, test)
    for node in at.of(ast.Try, ast.TryStar):
        assert isinstance(node, ast.Try | ast.TryStar)
        what = _tried(node)
        for handler in node.handlers:
            named = ", ".join(handled(handler))
            end = outcome(handler.body)
            yield at.case(handler, "handler", f"except {named}", f"{what} raises {named}", end)
        if node.finalbody:
            test = f"{what} fails: this runs all the same"
            yield at.case(node.finalbody[0], "handler", "finally", test)


def _tried(node: ast.Try | ast.TryStar) -> str:
    calls: dict[str, None] = {}
    for statement in node.body:
        for each in (statement, *nodes_in(statement, nested=False)):
            if isinstance(each, ast.Call):
                calls[f"`{short(each.func, 40)}()`"] = None
    shown = list(calls)[:CALLS_NAMED]
    more = " or another call" if len(calls) > CALLS_NAMED else ""
    return (" or ".join(shown) + more) or f"line {node.body[0].lineno}"


def matches(at: Tested) -> Iterator[Case]:
    """Yield each case of a `match`, and the subject no case takes."""
    for node in at.of(ast.Match):
        subject = short(node.subject, 40)
        for each in node.cases:
            text = short(each.pattern, 40)
            test = f"`{subject}` matches `{text}`"
            yield at.case(each.pattern, "branch", f"case {text}", test, outcome(each.body))
        last = node.cases[-1]
        if not (isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None):
            yield at.case(node, "branch", f"match {subject}", f"`{subject}` matches no case")


def waits(at: Tested) -> Iterator[Case]:
    """Yield what may happen from outside while a function waits or holds something."""
    waiting = list(at.of(ast.Await, ast.AsyncFor, ast.AsyncWith))
    if waiting:
        first = waiting[0]
        what = short(first.value) if isinstance(first, ast.Await) else "the awaits"
        test = "cancelled while it waits here: what was begun is ended, CancelledError goes on"
        lines = sorted({getattr(each, "lineno", 0) for each in waiting})
        why = f"it also waits in line {', '.join(map(str, lines[1:4]))}" if lines[1:] else ""
        yield at.case(first, "cancel", what, test, why)
    for node in at.of(ast.With, ast.AsyncWith):
        assert isinstance(node, ast.With | ast.AsyncWith)
        for item in node.items:
            held = short(item.context_expr, 50)
            if held.partition("(")[0].rpartition(".")[2] != "suppress":
                test = f"the body raises: `{held}` is left cleanly"
                yield at.case(node, "context", f"with {held}", test)


def recursion(at: Tested) -> Iterator[Case]:
    """Yield the depths of a function that calls itself."""
    name = at.scope.name
    if not is_recursive(at.names, name):
        return
    calls = at.names.calls_of(name)
    own = [call for call in calls if call.local and call.callee == name]
    through = [c for c in calls if c.local and name in at.names.reached(c.callee)]
    line = (own or through or calls)[0].line
    last = name.rpartition(".")[2]
    test = "no call of itself (the base case), one, several deep; deeper than the recursion limit"
    why = "" if own else "it calls itself through others"
    yield at.case(line, "recursion", f"{last}()", test, why)


def results(at: Tested) -> Iterator[Case]:
    """Yield results of another kind than the rest, and the ends of a generator."""
    found = returns(at.node)
    if any(each.yields for each in found):
        first = next(each for each in found if each.yields)
        test = "closed after the first item, and used up"
        yield at.case(first.line, "return", f"yield {first.text}", test)
        return
    nothing = [each for each in found if each.kind == "None"]
    if len(nothing) < len(found):
        for each in nothing:
            if not each.text:
                end = "the end is reached without `return`: None comes back"
                yield at.case(each.line, "return", "end of the function", end)
