"""Runs the statements of cells over abstract values: who bound what, when, and what changed it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from typing import Any

from aiex_ipy.grounding.dataflow.cell_text import CellText, cell_text
from aiex_ipy.grounding.dataflow.expressions import (
    MOST_STATEMENTS,
    Arguments,
    Expressions,
    runs_at_all,
)
from aiex_ipy.grounding.dataflow.values import (
    NOTHING,
    Binding,
    Class,
    Frame,
    Function,
    Miss,
    Module,
    Thing,
    Value,
    elements,
)
from aiex_ipy.grounding.tree import NESTED, nodes_in

SourceOf = Callable[[str], str | None]
"""Gives the source of a module that is the user's own, None for any other."""
NamesOf = Callable[[str], Iterable[str] | None]
"""Gives the names `from module import *` brings, None when that cannot be told."""
_LEAVES = (ast.Return, ast.Raise, ast.Break, ast.Continue)


class Step:
    """One top-level statement of one run of a cell. `reads` are the bindings it depends on,
    `missing` names it reads that nothing had bound."""

    __slots__ = ("cell", "end_line", "line", "missing", "reads")

    def __init__(self, cell: int, line: int, end_line: int) -> None:
        self.cell = cell
        self.line = line
        self.end_line = end_line
        self.reads: tuple[Binding, ...] = ()
        self.missing: tuple[Miss, ...] = ()


class Run(Expressions):
    """Cells that ran one after the other in one namespace.

    `steps` are their top-level statements. Run the same cells, get the same steps.
    """

    def __init__(self, source_of: SourceOf, names_of: NamesOf) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.cells = 0
        self.modules: dict[str, Module] = {}
        self.annotations_run = sys.version_info < (3, 14)
        """False once `from __future__ import annotations` ran: it holds for the cells after."""
        self._source_of = source_of
        self._names_of = names_of

    def add(self, code: str, *, ok: bool = True) -> None:
        """Run one cell. Of one that failed any statement may have run, but the last did not come
        to its end."""
        text = cell_text(code)
        first = len(self.steps)
        self._magics(text)
        last = text.body[-1] if text.body else None
        for statement in text.body:
            self._begin(statement.lineno, statement.end_lineno or statement.lineno)
            self.failing = not ok and statement is last
            if ok:
                self.statement(statement)
            elif statement is last and isinstance(statement, ast.Assign | ast.AnnAssign):
                self.value(statement.value)
            else:
                self.branches([partial(self.statement, statement)], complete=False)
            self._end()
        if text.made:  # what `%%capture` caught depends on all that ran
            whole = {read: None for step in self.steps[first:] for read in step.reads}
            self.steps[first].reads = tuple(whole)
        self.cells += 1

    def _begin(self, line: int, end_line: int) -> None:
        self.step = len(self.steps)
        self.steps.append(Step(self.cells, line, end_line))
        self.reads = {}
        self.missing = []
        self.budget = MOST_STATEMENTS
        self.made = 0

    def _end(self) -> None:
        step = self.steps[self.step]
        step.reads = tuple(self.reads)
        step.missing = tuple(self.missing)

    def _magics(self, text: CellText) -> None:
        """Run what the magics of a cell do, as one step before its statements."""
        if not (text.used or text.made or text.opaque):
            return
        self._begin(1, text.text.count("\n") + 1)
        for word in text.used:
            found = self.frame.find(word)
            if found is not None:
                self.reads[found] = None
        for name in self.globals.names if text.resets else ():
            self.put(self.globals, name, Binding((self.step,), gone=True))
        for name in text.made:
            self.bind(name, self.new())
        if text.opaque or text.error:
            self.may_bind_everything()
        self._end()

    def look(self, names: Iterable[str]) -> tuple[Binding, ...]:
        """Return the bindings that `names` and the functions they stand for depend on now."""
        self._begin(0, 0)
        for name in names:
            root, *parts = name.split(".")
            value = self.read_name(root)
            for part in parts:
                value = self.part_of(value, part)
            for thing in value:
                if isinstance(thing, Function):
                    self.invoke(thing, Arguments())
        self._end()
        self.reads, found = {}, tuple(self.reads)
        self.steps.pop()
        return found

    # -- statements

    def run(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            self.budget -= 1
            if self.budget <= 0 and self.doing:
                return
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        """Run one statement."""
        execute = _EXECUTE.get(node.__class__)
        if execute is None:
            self.other(node)
        else:
            execute(self, node)

    def assertion(self, node: ast.Assert) -> None:
        self.value(node.test)
        with self.doubtful():
            self.value(node.msg)

    def other(self, node: Any) -> None:
        """Statements that only evaluate: `raise`, `pass`."""
        for part in ast.iter_child_nodes(node):
            self.value(part)

    def run_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Run the body of a function in its frame: what stands behind a way out may not run."""
        body = node.body
        for at, statement in enumerate(body):
            self.budget -= 1
            if self.budget <= 0:
                return
            self.statement(statement)
            if _leaves(statement):
                self.branches([partial(self.run, body[at + 1 :])], complete=False)
                return

    def branches(
        self, bodies: Iterable[Callable[[], None]], *, complete: bool, sure: bool = False
    ) -> None:
        """Run ways of which one is gone, or none unless `complete`, and join what they bind. The
        first is known to begin when `sure`."""
        outer, ways = self.journal, []
        before: dict[tuple[Frame, str], Binding | None] = {}
        for at, body in enumerate(bodies):
            self.journal = {}
            with self.doubtful(not (sure and at == 0)):
                body()
            ways.append({(f, name): f.names.get(name) for f, name in self.journal})
            for (frame, name), old in self.journal.items():
                before.setdefault((frame, name), old)
                if old is None:
                    frame.names.pop(name, None)
                else:
                    frame.names[name] = old
        self.journal = outer
        for key, old in before.items():
            found = [way.get(key, old) for way in ways]
            self.put(*key, _joined([*found] if complete else [*found, old]))

    def expression(self, node: ast.Expr) -> None:
        value = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(value, ast.Call):
            self.awaiting = value is not node.value
            self.call(value, discarded=True)
            self.awaiting = False
        else:
            self.value(node.value)

    def assignment(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            self.assign(target, value, node.value)

    def annotated(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.assign(node.target, self.value(node.value))
        if not isinstance(node.target, ast.Name) or self.frame.kind != "function":
            self.annotation(node.annotation)

    def annotation(self, node: ast.expr | None) -> None:
        """Evaluate an annotation where Python does when it comes to it."""
        if self.annotations_run:
            self.value(node)

    def assign(self, target: ast.AST, value: Value, source: ast.AST | None = None) -> None:
        """Bind or change an assignment target."""
        if isinstance(target, ast.Name):
            self.bind(target.id, value)
        elif isinstance(target, ast.Tuple | ast.List):
            parts: list[Any] = [None] * len(target.elts)
            if isinstance(source, ast.Tuple | ast.List) and len(source.elts) == len(target.elts):
                parts = source.elts
            whole = elements(value)
            told = [  # before the first target is bound: `a, b = b, a`
                self.value(part) if isinstance(part, ast.Name | ast.Constant) else whole
                for part in parts
            ]
            for each, held in zip(target.elts, told, strict=True):
                if isinstance(each, ast.Starred):
                    self.assign(each.value, self.new(held, exact=True))
                else:
                    self.assign(each, held)
        elif isinstance(target, ast.Attribute):
            self.change_at(target, self.value(target.value), value)
        elif isinstance(target, ast.Subscript):
            self._store(target, value)

    def _store(self, target: ast.Subscript, value: Value) -> None:
        holder = target.value
        if isinstance(holder, ast.Call) and getattr(holder.func, "id", "") in _NAMESPACES:
            key = target.slice
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                self.bind(key.value, value, self.globals)
            else:
                self.value(key)
                self.may_bind_everything()
            return
        held = self.value(holder)
        self.value(target.slice)
        self.special(held, "setitem", NOTHING, value)
        self.change_at(target, held, value)

    def augmented(self, node: ast.AugAssign) -> None:
        target = node.target
        value = self.value(node.value)
        if isinstance(target, ast.Name):
            old = self.read_name(target.id, target.lineno)
            self.special(old, f"i{_OPERATORS.get(type(node.op), '')}", value)
            self.change(old, elements(value))
            self.bind(target.id, old or (self.new(value) if value else NOTHING))
        else:
            whole = self.value(target)
            self.change(whole, elements(value))
            self.assign(target, whole)

    def delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.read_name(target.id, target.lineno)
                at = self.frame.elsewhere.get(target.id, self.frame)
                self.put(at, target.id, Binding((self.step,), gone=True))
            elif isinstance(target, ast.Tuple | ast.List):
                self.delete(ast.Delete(targets=target.elts))
            else:
                self.assign(target, NOTHING)

    def define(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        before = self.frame
        self._parameters_of_types(node)
        made = Function(self.step, node, self.closure())
        made.defaults = self.defaults(node.args)
        args = node.args
        for arg in (*args.posonlyargs, *args.args, args.vararg, *args.kwonlyargs, args.kwarg):
            if arg is not None:
                self.annotation(arg.annotation)
        self.annotation(node.returns)
        self.frame = before
        value: Value = frozenset((made,))
        for decorator in reversed(node.decorator_list):
            value = self._decorated(decorator, value)
        self.bind(node.name, value)

    def _parameters_of_types(self, node: ast.AST) -> None:
        """Open the namespace of `[T]`, Python 3.12, where there is one."""
        parameters = getattr(node, "type_params", ())
        if parameters:
            self.frame = Frame(self.frame, "function")
            for each in parameters:
                self.bind(each.name)

    def _decorated(self, decorator: ast.expr, value: Value) -> Value:
        if isinstance(decorator, ast.Name | ast.Attribute):
            name = decorator.id if isinstance(decorator, ast.Name) else decorator.attr
            if name in _TRANSPARENT or (isinstance(decorator, ast.Attribute) and name == "setter"):
                self.value(decorator)
                return value
        call = self.value(decorator)
        own = [thing for thing in call if isinstance(thing, Function | Class)]
        if own:
            given = Arguments([value])
            return NOTHING.union(*[self.invoke_thing(thing, given) for thing in own])
        return value | self.new(value)

    def define_class(self, node: ast.ClassDef) -> None:
        before = self.frame
        self._parameters_of_types(node)
        bases = [thing for base in node.bases for thing in self.value(base)]
        for keyword in node.keywords:
            self.value(keyword.value)
        frame = self.frame = Frame(self.frame, "class")
        own = tuple(base for base in bases if isinstance(base, Class))
        made = Class(self.step, frame, own)
        self.run(node.body)
        self.frame = before
        value: Value = frozenset((made,))
        for decorator in reversed(node.decorator_list):
            self.value(decorator)
        self.bind(node.name, value)

    def conditional(self, node: ast.If) -> None:
        self.value(node.test)
        known = _known_test(node.test)
        if known is not None:
            self.run(node.body if known else node.orelse)
            return
        self.branches([lambda: self.run(node.body), lambda: self.run(node.orelse)], complete=True)

    def loop(self, node: ast.For | ast.AsyncFor | ast.While) -> None:
        whole = NOTHING
        if not isinstance(node, ast.While):
            whole = self.value(node.iter)

        def once() -> None:
            if isinstance(node, ast.While):
                self.value(node.test)
            else:
                self.assign(node.target, self.elements_of(whole))
            self.run(node.body)

        if isinstance(node, ast.While):
            sure = _known_test(node.test)
            self.value(node.test)
        else:
            sure = runs_at_all(node.iter)
        if sure is False:
            self.run(node.orelse)
            return
        self.branches([once], complete=False, sure=bool(sure))
        if self.budget > 0:  # what the end of the body binds, its beginning finds
            self.branches([once], complete=False)
        self.branches([lambda: self.run(node.orelse)], complete=False)

    def within(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            value = self.value(item.context_expr)
            entered = self.special(value, "enter") | self.special(value, "aenter")
            self.special(value, "exit")
            if item.optional_vars is not None:
                self.assign(item.optional_vars, value | entered)
        caught = [_suppressed(item.context_expr) for item in node.items]
        if not any(caught):
            self.run(node.body)
            return
        before = len(self.missing)
        self.branches([lambda: self.run(node.body)], complete=False, sure=True)
        if any(_takes_names(each) for kinds in caught for each in kinds):
            del self.missing[before:]

    def attempt(self, node: Any) -> None:
        guarded = any(_takes_names(each.type) for each in node.handlers)

        def body() -> None:
            before = len(self.missing)
            self.run(node.body[:1])
            with self.doubtful(bool(node.handlers)):
                self.run(node.body[1:])
            if guarded:
                del self.missing[before:]

        def all_of_it() -> None:
            body()
            with self.doubtful(bool(node.handlers)):
                self.run(node.orelse)

        def caught(handler: ast.ExceptHandler) -> Callable[[], None]:
            def way() -> None:
                if self.budget > 0:
                    self.branches([body], complete=False)
                self.value(handler.type)
                if handler.name:
                    self.bind(handler.name, self.new())
                self.run(handler.body)
                if handler.name:
                    self.put(self.frame, handler.name, None)

            return way

        ways = [all_of_it, *[caught(each) for each in node.handlers]]
        self.branches(ways, complete=True, sure=True)
        self.run(node.finalbody)

    def choose(self, node: ast.Match) -> None:
        subject = self.value(node.subject)

        def case(each: ast.match_case) -> Callable[[], None]:
            def way() -> None:
                for at in (each.pattern, *nodes_in(each.pattern)):
                    if isinstance(at, ast.MatchAs | ast.MatchStar) and at.name:
                        self.bind(at.name, subject | elements(subject))
                    elif isinstance(at, ast.MatchMapping) and at.rest:
                        self.bind(at.rest, self.new(elements(subject)))
                    elif isinstance(at, ast.MatchValue):
                        self.value(at.value)
                    elif isinstance(at, ast.MatchClass):
                        self.value(at.cls)
                self.value(each.guard)
                self.run(each.body)

            return way

        last = node.cases[-1]
        total = isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None
        self.branches([case(each) for each in node.cases], complete=total and last.guard is None)

    def give_back(self, node: ast.Return) -> None:
        value = self.value(node.value)
        frame: Frame | None = self.frame
        while frame is not None and frame.kind == "comprehension":
            frame = frame.outer
        if frame is not None:
            frame.returned |= value

    def declare_global(self, node: ast.Global) -> None:
        for name in node.names:
            self.frame.elsewhere[name] = self._module_frame()

    def _module_frame(self) -> Frame:
        frame = self.frame
        while frame.outer is not None:
            frame = frame.outer
        return frame

    def declare_nonlocal(self, node: ast.Nonlocal) -> None:
        for name in node.names:
            outer = self.frame.outer
            while outer is not None and outer.kind != "module":
                if name in outer.names:
                    self.frame.elsewhere[name] = outer
                    break
                outer = outer.outer

    def alias(self, node: Any) -> None:  # `type X = …`, Python 3.12
        self.bind(node.name.id)

    # -- imports

    def module(self, name: str) -> Module:
        """Return the module of a name; the user's own is run when first imported."""
        if name not in self.modules:
            made = self.modules[name] = Module(-1, name)
            source = self._source_of(name)
            body = cell_text(source).body if source is not None else None
            if body:
                made.frame = Frame(None, "module")
                before, self.frame = self.frame, made.frame
                annotated, self.annotations_run = self.annotations_run, sys.version_info < (3, 14)
                with self.doubtful():
                    self.run(body)
                self.frame, self.annotations_run = before, annotated
                for bound in made.frame.names.values():
                    for thing in bound.value:
                        made.hold((thing,), self.step)
        return self.modules[name]

    def imports(self, node: ast.Import) -> None:
        for alias in node.names:
            top = alias.name if alias.asname else alias.name.partition(".")[0]
            self.bind(alias.asname or top, frozenset((self.module(top),)))

    def imports_from(self, node: ast.ImportFrom) -> None:
        name = "." * node.level + (node.module or "")
        if name == "__future__" and any(each.name == "annotations" for each in node.names):
            self.annotations_run = False
        module = self.module(name)
        for alias in node.names:
            if alias.name == "*":
                self._imports_all(name, module)
            else:
                self.bind(alias.asname or alias.name, self.from_module(module, alias.name))

    def _imports_all(self, name: str, module: Module) -> None:
        names = list(self._names_of(name) or ())
        if not names and module.frame is not None:
            names = [each for each in module.frame.names if not each.startswith("_")]
        for each in names:
            self.bind(each, self.from_module(module, each))
        if not names:
            self.may_bind_everything()


@lru_cache(maxsize=4096)
def _leaves(node: ast.stmt) -> bool:
    """True when a function may be left inside a statement."""
    return not isinstance(node, (*_LEAVES, *NESTED)) and any(
        isinstance(at, ast.Return | ast.Raise) for at in nodes_in(node, nested=False)
    )


def _takes_names(caught: ast.expr | None) -> bool:
    """True for `except:` and those that take a NameError."""
    if caught is None:
        return True
    names = {at.id for at in (caught, *nodes_in(caught)) if isinstance(at, ast.Name)}
    return not names.isdisjoint({"NameError", "Exception", "BaseException"})


def _known_test(test: ast.expr) -> bool | None:
    """Return what a test gives where its text says so: a constant, `TYPE_CHECKING`, or `not` one
    of them."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _known_test(test.operand)
        return None if inner is None else not inner
    if getattr(test, "attr", getattr(test, "id", "")) == "TYPE_CHECKING":
        return False
    return None


def _suppressed(node: ast.expr) -> list[ast.expr]:
    """Return the errors that a context catches: those of `suppress` and `raises`."""
    if not isinstance(node, ast.Call):
        return []
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    return node.args if name in ("suppress", "raises", "assertRaises") else []


def _joined(ways: list[Binding | None]) -> Binding | None:
    found = [way for way in ways if way is not None]
    if not found:
        return None
    first = found[0]
    if all(way is first for way in found):
        return first
    steps: dict[int, None] = {}
    value: set[Thing] = set()
    for way in found:
        steps.update(dict.fromkeys(way.steps))
        value |= way.value
    gone = all(way.gone for way in found)
    return Binding(tuple(sorted(steps)), frozenset(value), gone=gone)


_NAMESPACES = frozenset({"globals", "locals", "vars"})
_TRANSPARENT = frozenset(
    {"property", "staticmethod", "classmethod", "abstractmethod", "override", "final", "wraps"}
    | {"cache", "cached_property", "overload", "contextmanager", "dataclass", "njit", "jit"}
)
_OPERATORS = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitOr: "or", ast.BitAnd: "and"}

_EXECUTE: dict[type[ast.AST], Callable[[Any, Any], None]] = {
    ast.Expr: Run.expression,
    ast.Assign: Run.assignment,
    ast.AnnAssign: Run.annotated,
    ast.AugAssign: Run.augmented,
    ast.Delete: Run.delete,
    ast.FunctionDef: Run.define,
    ast.AsyncFunctionDef: Run.define,
    ast.ClassDef: Run.define_class,
    ast.Assert: Run.assertion,
    ast.If: Run.conditional,
    ast.For: Run.loop,
    ast.AsyncFor: Run.loop,
    ast.While: Run.loop,
    ast.With: Run.within,
    ast.AsyncWith: Run.within,
    ast.Try: Run.attempt,
    ast.TryStar: Run.attempt,
    ast.Match: Run.choose,
    ast.Return: Run.give_back,
    ast.Global: Run.declare_global,
    ast.Nonlocal: Run.declare_nonlocal,
    ast.Import: Run.imports,
    ast.ImportFrom: Run.imports_from,
}
if hasattr(ast, "TypeAlias"):
    _EXECUTE[ast.TypeAlias] = Run.alias


def steps_behind(run: Run, start: Iterable[Binding]) -> Iterator[int]:
    """Yield the steps that made or changed what the bindings hold at the end, transitively."""
    seen: set[int] = set()
    done: dict[Thing, int] = {}
    todo: list[tuple[Binding, int]] = [(binding, len(run.steps)) for binding in start]
    while todo:
        binding, moment = todo.pop()
        fresh = {step for step in binding.steps if step < moment and step not in seen}
        for thing in binding.value:
            _changes(thing, moment, done, fresh)
        for step in fresh:
            if step not in seen and step >= 0:
                seen.add(step)
                todo += [(read, step) for read in run.steps[step].reads]
    yield from sorted(seen)


def _changes(thing: Thing, moment: int, done: dict[Thing, int], into: set[int]) -> None:
    """Add the steps before `moment` that changed a thing or what it then held."""
    stack = [thing]
    while stack:
        at = stack.pop()
        before = done.get(at, -1)
        if before >= moment:
            continue
        done[at] = moment
        into.update(step for step in at.changes if before <= step < moment)
        stack += [inner for inner, since in at.inside.items() if since < moment]
