"""What an expression stands for, which names it reads, and what its calls change."""

from __future__ import annotations

import ast
import builtins
import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from aiex_ipy.grounding.dataflow import calls
from aiex_ipy.grounding.dataflow.values import (
    NOTHING,
    UNSET,
    Binding,
    Class,
    Frame,
    Function,
    Instance,
    Miss,
    Module,
    Thing,
    Value,
    elements,
    has_member,
    written,
)
from aiex_ipy.grounding.effects import MUTATORS
from aiex_ipy.grounding.tree import nodes_in

MOST_DEPTH = 12
"""Calls of the user's own functions inside each other that are followed."""
MOST_STATEMENTS = 1_000
"""Statements of called functions that are followed in one step."""
MOST_THINGS = 100
"""Things told apart that one step makes; those beyond are one."""
_COMMON = frozenset({"read", "close", "readline", "readlines", "seek", "send", "throw"})
_TAKES_ITEMS = frozenset({"extend", "update", "extendleft", "difference_update"})
_BUILTINS = frozenset(dir(builtins))
_SPECIAL = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.MatMult: "matmul",
    ast.BitOr: "or",
    ast.BitAnd: "and",
    ast.LShift: "lshift",
    ast.RShift: "rshift",
}


class Arguments:
    """The values a call hands over."""

    __slots__ = ("named", "positional", "rest")

    def __init__(
        self,
        positional: Iterable[Value] = (),
        named: dict[str, Value] | None = None,
        rest: Value = NOTHING,
    ) -> None:
        self.positional = list(positional)
        self.named = named or {}
        self.rest = rest  # what `*` and `**` bring, and whatever cannot be told apart

    @property
    def every(self) -> Value:
        """All values in one."""
        return self.rest.union(*self.positional, *self.named.values())


class Expressions:
    """Runs expressions over abstract values; statements come with `statements.Run`."""

    def __init__(self) -> None:
        self.step = 0
        self.globals = Frame(None, "module")
        self.frame = self.globals
        self.reads: dict[Binding, None] = {}
        self.missing: list[Miss] = []
        """Names read that nothing had bound."""
        self.doubt = 0
        """How many of the ways now followed may not be gone."""
        self.awaiting = False
        self.unseen: Binding | None = None
        """The steps that may have bound any name: `%run`, `import *` of an unknown module."""
        self.journal: dict[tuple[Frame, str], Binding | None] | None = None
        self.doing: list[ast.AST] = []
        self.budget = MOST_STATEMENTS
        self.made = 0
        self.rest: Thing | None = None
        self.failing = False
        """The statement is the last of a cell that failed."""

    def leaves(self, name: str, method: str) -> bool:
        """True when what a name holds is known to be left as it is by a method of its."""
        return False

    def is_nowhere(self, name: str) -> bool:
        """True when it is known that nothing was ever called so."""
        return False

    # -- names

    def bind(self, name: str, value: Value = NOTHING, frame: Frame | None = None) -> None:
        """Bind a name in this step; what it held before is gone."""
        at = frame or self.frame
        at = at.elsewhere.get(name, at)
        self.put(at, name, Binding((self.step,), value))

    def put(self, frame: Frame, name: str, binding: Binding | None) -> None:
        """Set or unset a binding, remembering what stood there for branches."""
        if self.journal is not None:
            self.journal.setdefault((frame, name), frame.names.get(name))
        if binding is None:
            frame.names.pop(name, None)
        else:
            frame.names[name] = binding

    def maybe_bind(self, name: str, frame: Frame) -> None:
        """Note that this step may have bound a name."""
        old = frame.names.get(name)
        if old is None:
            self.put(frame, name, Binding((self.step,)))
        elif self.step not in old.steps:
            self.put(frame, name, Binding((*old.steps, self.step), old.value))

    def read_name(self, name: str, line: int = 0) -> Value:
        """Read a name; its value."""
        found = self.frame.find(name)
        if found is not None and found is not UNSET:
            self.reads[found] = None
        if found is not None and not found.gone:
            return found.value
        if found is None and self.unseen is not None and name not in _BUILTINS:
            self.reads[self.unseen] = None
        elif found is UNSET or name not in _BUILTINS:
            deleted = found.steps[-1] if found is not None and found.steps else None
            self.missing.append(
                Miss(
                    name=name,
                    line=line,
                    sure=not self.doubt,
                    deleted=deleted,
                    local=found is UNSET,
                )
            )
        return NOTHING

    @contextlib.contextmanager
    def doubtful(self, doubt: bool = True) -> Iterator[None]:
        """Follow what may not happen: a name missed there is not surely missed."""
        self.doubt += doubt
        try:
            yield
        finally:
            self.doubt -= doubt

    def read_things(self, value: Value) -> None:
        """Note that this step depends on things, under whatever name."""
        if value:
            self.reads[Binding((), value)] = None

    def read_everything(self) -> None:
        """Note that this step may depend on every name."""
        for binding in self.globals.names.values():
            self.reads[binding] = None

    def may_bind_everything(self) -> None:
        """Note that this step may have bound any name."""
        for name in list(self.globals.names):
            self.maybe_bind(name, self.globals)
        self.unseen_names()

    def unseen_names(self) -> None:
        """Note that this step may have bound names that cannot be seen."""
        old = self.unseen.steps if self.unseen is not None else ()
        self.unseen = Binding((*old, self.step))

    # -- values

    def new(self, inside: Iterable[Thing] = (), *, exact: bool = False) -> Value:
        """Return a thing made in this step."""
        self.made += 1
        if self.made <= MOST_THINGS:
            return frozenset((Thing(self.step, inside, exact=exact),))
        if self.rest is None or self.rest.changes[0] != self.step:
            self.rest = Thing(self.step)
        self.rest.hold(inside, self.step)
        return frozenset((self.rest,))

    def change_at(self, node: ast.AST, value: Value, held: Value = NOTHING) -> None:
        """Change what `node` is an attribute or item of; a name whose value is not known to be
        changeable may be bound anew as well."""
        self.change(value, held)
        while not value and isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
            if isinstance(node, ast.Name):
                frame: Frame | None = self.frame
                while frame is not None:
                    at = frame.elsewhere.get(node.id, frame)
                    if node.id in at.names:
                        self.maybe_bind(node.id, at)
                        return
                    frame = frame.outer

    def change(self, value: Value, held: Value = NOTHING) -> None:
        """Note that this step changes things, and what it puts into them."""
        for thing in value:
            if isinstance(thing, Function) and thing.bound:
                self.change(thing.bound, held)
            thing.change(self.step)
            thing.hold(held, self.step)

    def value(self, node: ast.AST | None) -> Value:
        """Evaluate an expression."""
        if node is None:
            return NOTHING
        kind = node.__class__
        if kind is ast.Constant:
            return NOTHING
        if kind is ast.Name:
            return self.read_name(node.id, node.lineno)  # type: ignore[attr-defined]
        evaluate = _EVALUATE.get(kind)
        return self.each_child(node) if evaluate is None else evaluate(self, node)

    def each_child(self, node: Any) -> Value:
        """Evaluate the parts; the result is a value of its own."""
        parts = NOTHING.union(*[self.value(part) for part in ast.iter_child_nodes(node)])
        return self.new() if parts and isinstance(node, ast.Compare | ast.UnaryOp) else NOTHING

    def attribute(self, node: ast.Attribute) -> Value:
        return self.part_of(self.value(node.value), node.attr)

    def part_of(self, value: Value, name: str) -> Value:
        """Return the attribute `name` of a value."""
        found: set[Thing] = set()
        for thing in value:
            if isinstance(thing, Module):
                found.update(self.from_module(thing, name))
            elif isinstance(thing, Instance | Class):
                found.update(self.member_of(thing, name))
            else:
                found.add(thing)  # a method of it keeps it
                found.update(thing.inside)
        return frozenset(found)

    def from_module(self, module: Module, name: str) -> Value:
        if module.frame is not None and name in module.frame.names:
            binding = module.frame.names[name]
            self.reads[binding] = None
            return binding.value
        part = module.part(name)
        self.read_things(frozenset((part,)))
        return frozenset((part,))

    def member_of(self, thing: Instance | Class, name: str) -> Value:
        cls = thing.cls if isinstance(thing, Instance) else thing
        member = cls.member(name)
        found = elements(frozenset((thing, cls)))
        self.read_things(frozenset((cls,)))
        if member is None:
            return found
        self.reads[member] = None
        if isinstance(thing, Class):
            return member.value | found
        bound: set[Thing] = set(found)
        for each in member.value:
            if not isinstance(each, Function) or isinstance(each.node, ast.Lambda):
                bound.add(each)
            elif _decorated(each.node, "property", "cached_property"):
                bound.update(self.invoke(each, Arguments([frozenset((thing,))])))
            elif _decorated(each.node, "staticmethod"):
                bound.add(each)
            else:
                method = Function(self.step, each.node, each.frame)
                method.defaults = each.defaults
                owner: Thing = cls if _decorated(each.node, "classmethod") else thing
                method.bound = frozenset((owner,))
                bound.add(method)
        return frozenset(bound)

    def special(self, value: Value, name: str, *arguments: Value) -> Value:
        """Call the special method of objects whose class is the user's own."""
        found: set[Thing] = set()
        for thing in value:
            if isinstance(thing, Instance):
                member = thing.cls.member(f"__{name}__")
                if member is not None:
                    self.reads[member] = None
                    given = Arguments([frozenset((thing,)), *arguments])
                    for each in member.value:
                        if isinstance(each, Function):
                            found.update(self.invoke(each, given))
        return frozenset(found)

    def subscript(self, node: ast.Subscript) -> Value:
        value = self.value(node.value)
        self.value(node.slice)
        found = elements(value) | self.special(value, "getitem", NOTHING)
        if isinstance(node.slice, ast.Slice) and any(thing.exact for thing in value):
            return found | self.new(found, exact=True)
        return found

    def literal(self, node: Any) -> Value:
        """A list, tuple, set or dict written out."""
        found: set[Thing] = set()
        for part in ast.iter_child_nodes(node):
            held = self.value(part)
            starred = isinstance(part, ast.Starred)
            found.update(self.elements_of(held) if starred else held)
        return self.new(found, exact=True)

    def elements_of(self, value: Value) -> Value:
        """Go through a value as `for` does."""
        self.consume(value)
        return elements(value) | self.special(value, "iter") | self.special(value, "next")

    def consume(self, value: Value) -> None:
        """Use up the iterators in a value, and run its generators."""
        for thing in value:
            self.budget -= len(thing.inside) >> 5
            if self.budget <= 0:
                return
            for each in (thing, *thing.inside):
                if each.once:
                    each.change(self.step)
                    if isinstance(each, Function):
                        self.invoke(each, Arguments())

    def operation(self, node: ast.BinOp) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if not left and not right:
            return NOTHING
        name = _SPECIAL.get(type(node.op), "")
        own = self.special(left, name, right) | self.special(right, f"r{name}", left)
        return own | self.new(written(left | right), exact=True)

    def either(self, node: ast.BoolOp | ast.IfExp) -> Value:
        parts = node.values if isinstance(node, ast.BoolOp) else [node.test, node.body, node.orelse]
        first = self.value(parts[0])
        with self.doubtful():
            return first.union(*[self.value(part) for part in parts[1:]])

    def named(self, node: ast.NamedExpr) -> Value:
        value = self.value(node.value)
        frame = self.frame
        while frame.kind == "comprehension" and frame.outer is not None:
            frame = frame.outer
        self.bind(node.target.id, value, frame)
        return value

    def make_lambda(self, node: ast.Lambda) -> Value:
        made = Function(self.step, node, self.closure())
        made.defaults = self.defaults(node.args)
        return frozenset((made,))

    def closure(self) -> Frame:
        """The namespace in which names of a function made here are looked up."""
        return self.frame

    def defaults(self, args: ast.arguments) -> dict[str, Value]:
        named = [*args.posonlyargs, *args.args]
        found = {
            arg.arg: self.value(default)
            for arg, default in zip(reversed(named), reversed(args.defaults), strict=False)
        }
        for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
            found[arg.arg] = self.value(default)
        return found

    def comprehension(self, node: Any) -> Value:
        if isinstance(node, ast.GeneratorExp):
            first = self.value(node.generators[0].iter)
            made = Function(self.step, node, self.closure())
            made.once = True
            made.hold(first | elements(first), self.step)
            return frozenset((made,))
        return self.new(self.run_comprehension(node), exact=True)

    def run_comprehension(self, node: Any) -> Value:
        """Evaluate a comprehension once; the values that come out of it."""
        before = self.frame
        found: list[Value] = []

        self.frame = before  # the first iterable is looked up outside: a class body's own names
        first = self.value(node.generators[0].iter)
        self.frame = Frame(before, "comprehension")

        def once() -> None:
            for at, part in enumerate(node.generators):
                self.assign(part.target, self.elements_of(self.value(part.iter) if at else first))
                for test in part.ifs:
                    self.value(test)
            made = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
            found.extend(self.value(each) for each in made)

        self.branches([once], complete=False, sure=runs_at_all(node.generators[0].iter) or False)
        self.frame = before
        return NOTHING.union(*found)

    def awaited(self, node: ast.Await | ast.YieldFrom) -> Value:
        self.awaiting = isinstance(node, ast.Await)
        value = self.value(node.value)
        self.awaiting = False
        if isinstance(node, ast.YieldFrom):
            value = self.elements_of(value)
            self.frame.returned |= value
        return value

    def yielded(self, node: ast.Yield) -> Value:
        value = self.value(node.value)
        self.frame.returned |= value
        return NOTHING

    def starred(self, node: ast.Starred) -> Value:
        return self.value(node.value)

    # -- calls

    def call(self, node: ast.Call, *, discarded: bool = False) -> Value:
        """Evaluate a call. `discarded` is one whose result nobody takes: it is made for what it
        does."""
        func = node.func
        receiver: Value = NOTHING
        if isinstance(func, ast.Attribute):
            receiver = self.value(func.value)
            target = self.part_of(receiver, func.attr)
        else:
            target = self.value(func)
        given = self.arguments(node)
        if isinstance(func, ast.Name) and not target and self.frame.find(func.id) is None:
            return self.builtin(func.id, node, given)
        if isinstance(func, ast.Attribute) and not any(
            isinstance(thing, Module) for thing in receiver
        ):
            known = frozenset(t for t in receiver if has_member(t, func.attr))
            made = [t for t in target if isinstance(t, Function | Class)] if known else []
            with self.doubtful(len(made) > 1):
                found = NOTHING.union(*[self.invoke_thing(thing, given) for thing in made])
            if known and known == receiver:
                return found
            return found | self.method(func.attr, receiver - known, node, given)
        found = NOTHING
        with self.doubtful(len(target) > 1):
            for thing in target:
                if isinstance(thing, Module):
                    found |= self.outside(thing, receiver, given, discarded=discarded)
                else:
                    found |= self.invoke_thing(thing, given)
        if not target:
            self.run_functions(given.every)
            found = self.new(given.every)
        return found

    def arguments(self, node: ast.Call) -> Arguments:
        given = Arguments()
        for arg in node.args:
            if isinstance(arg, ast.Starred):
                given.rest |= self.elements_of(self.value(arg.value))
            else:
                given.positional.append(self.value(arg))
        for keyword in node.keywords:
            value = self.value(keyword.value)
            if keyword.arg is None:
                given.rest |= elements(value)
            else:
                given.named[keyword.arg] = value
        return given

    def invoke_thing(self, thing: Thing, given: Arguments) -> Value:
        """Call a thing."""
        if isinstance(thing, Function):
            return self.invoke(thing, given)
        if isinstance(thing, Class):
            return self.instantiate(thing, given)
        here: Value = frozenset((thing,))
        if isinstance(thing, Instance):
            member = thing.cls.member("__call__")
            if member is not None:
                return self.special(here, "call", *given.positional, given.rest)
        # A bound method kept under a name, a partial, a decorated function: anything in it may
        # run, and whatever it is bound to may change.
        self.change(here, given.every)
        inner = [each for each in thing.inside if isinstance(each, Function)]
        with self.doubtful():
            found = NOTHING.union(*[self.invoke(each, given) for each in inner])
        return found | here | self.new(given.every)

    def instantiate(self, cls: Class, given: Arguments) -> Value:
        made = Instance(self.step, cls)
        here: Value = frozenset((made,))
        start = cls.member("__init__")
        if start is None or not any(isinstance(t, Function) for t in start.value):
            made.hold(given.every, self.step)
        post = cls.member("__post_init__")
        for member in (start, post):
            if member is not None:
                self.reads[member] = None
                for each in member.value:
                    if isinstance(each, Function):
                        passed = given.positional if member is start else []
                        named = given.named if member is start else {}
                        self.invoke(each, Arguments([here, *passed], named, given.rest))
        self.read_things(frozenset((cls,)))
        return here

    def invoke(self, function: Function, given: Arguments) -> Value:
        """Run a function of the user's in this step; what it returns."""
        node = function.node
        if self.doing.count(node) > 1 or len(self.doing) >= MOST_DEPTH or self.budget <= 0:
            return given.every
        self.budget -= 1
        before = self.frame
        self.doing.append(node)
        doubt, awaiting, self.awaiting = self.doubt, self.awaiting, False
        if _generates(node) or (isinstance(node, ast.AsyncFunctionDef) and not awaiting):
            self.doubt += 1  # its body runs later, if at all
        try:
            if isinstance(node, ast.GeneratorExp):
                self.frame = function.frame
                return self.run_comprehension(node)
            self.frame = Frame(function.frame, "function")
            self.frame.own = _own_names(node)
            self.hand_over(node.args, function, given)
            if isinstance(node, ast.Lambda):
                return self.value(node.body)
            self.run_function(node)
            found = self.frame.returned
            if _generates(node):
                lazy = Function(self.step, node, function.frame)
                lazy.defaults, lazy.once = dict(self.parameters(node.args)), True
                lazy.hold(found, self.step)
                return frozenset((lazy,))
            return found
        finally:
            self.frame = before
            self.doubt = doubt
            self.doing.pop()

    def parameters(self, args: ast.arguments) -> Iterable[tuple[str, Value]]:
        """The parameters of the running function with what they hold."""
        for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs):
            yield arg.arg, self.frame.names[arg.arg].value

    def hand_over(self, args: ast.arguments, function: Function, given: Arguments) -> None:
        """Bind the parameters of a call."""
        values = [*([function.bound] if function.bound else []), *given.positional]
        named = [*args.posonlyargs, *args.args]
        for place, arg in enumerate([*named, *args.kwonlyargs]):
            value = given.rest | function.defaults.get(arg.arg, NOTHING)
            if place < len(values) and place < len(named):
                value = values[place]
            elif arg.arg in given.named:
                value = given.named[arg.arg]
            self.frame.names[arg.arg] = Binding((self.step,), value)
        if args.vararg is not None:
            rest = NOTHING.union(given.rest, *values[len(named) :])
            self.frame.names[args.vararg.arg] = Binding((self.step,), self.new(rest, exact=True))
        if args.kwarg is not None:
            rest = NOTHING.union(given.rest, *given.named.values())
            self.frame.names[args.kwarg.arg] = Binding((self.step,), self.new(rest, exact=True))

    def run_functions(self, value: Value) -> Value:
        """Run the functions among arguments: who takes a function calls it, with the rest."""
        found = NOTHING
        functions = [thing for thing in value if isinstance(thing, Function)]
        rest = frozenset(thing for thing in value if not isinstance(thing, Function))
        with self.doubtful():
            for each in functions:
                found |= self.invoke(each, Arguments(rest=rest | elements(rest)))
        return found

    def outside(
        self, module: Module, receiver: Value, given: Arguments, *, discarded: bool
    ) -> Value:
        """Call what a module has whose source is not at hand."""
        name, every = module.name, given.every
        first = given.positional[0] if given.positional else NOTHING
        made = self.run_functions(every)
        self.consume(every)
        if name in calls.CHANGING:
            self.change(first, NOTHING.union(*given.positional[1:]))
            made |= elements(first)
        elif discarded and not calls.is_library(name):
            self.change(every)
        if discarded and not calls.has_no_effect(
            name
        ):  # `np.random.seed(0)`: what is called for its effect has one
            self.change(frozenset(thing for thing in receiver if isinstance(thing, Module)))
        if name in calls.VIEWS:
            return made | first | self.new(elements(first))
        if calls.is_fresh(name):
            return made | self.new(elements(every) if name in calls.CHANGING else ())
        return made | self.new(every)

    def method(self, name: str, receiver: Value, node: ast.Call, given: Arguments) -> Value:
        """Call a method whose source is not at hand."""
        every = given.every
        made = self.run_functions(every)
        self.consume(every)
        if any(isinstance(thing, Function) for thing in receiver):
            made |= self.run_functions(receiver)
        in_place = any(
            word.arg == "inplace"
            and not (isinstance(word.value, ast.Constant) and word.value.value is False)
            for word in node.keywords
        )
        if "out" in given.named:
            self.change(given.named["out"], every)
        if in_place or name in MUTATORS or name in _COMMON:
            held = written(every) if name in _TAKES_ITEMS else every
            self.change_at(node.func, receiver, held | (self.elements_of(every) - every))
            return made | elements(receiver)
        if name in calls.FRESH_METHODS:
            return made | self.new(written(receiver) | every) if receiver or every else made
        if name in calls.VIEW_METHODS:
            return made | elements(receiver) | every
        holder = node.func.value if isinstance(node.func, ast.Attribute) else None
        if isinstance(holder, ast.Name) and self.leaves(holder.id, name):
            return made | self.new(receiver | every)
        self.change_at(node.func, receiver, every)
        return made | receiver | self.new(receiver | every)

    def builtin(self, name: str, node: ast.Call, given: Arguments) -> Value:
        """Call a builtin, or what nobody has bound."""
        every = given.every
        made = self.run_functions(every)
        self.consume(every)
        first = given.positional[0] if given.positional else NOTHING
        own = _BUILTIN.get(name)
        if own is not None:
            return made | own(self, node, first, every)
        if name in calls.PLAIN_BUILTINS:
            return made | self.special(first, name)
        if name in calls.HOLDING_BUILTINS:
            for each in given.positional:
                made |= self.elements_of(each)
            if not every:
                return made
            holder = Thing(self.step, made | elements(every), exact=True)
            holder.once = name in calls.ITERATORS
            if holder.once:  # what changes in the source later comes out of it
                holder.hold(every, self.step)
            return made | frozenset((holder,))
        if name in calls.ASKING:
            return self.new()
        if name not in _BUILTINS and not (self.failing and self.is_nowhere(name)):
            self.change(every)
        return made | self.new(every)

    def namespace(self, node: ast.Call, first: Value, every: Value) -> Value:
        """`globals()`, or what an object has in it."""
        if not node.args:
            self.read_everything()
        return first | elements(first)

    def set_attribute(self, node: ast.Call, first: Value, every: Value) -> Value:
        self.change_at(ast.Starred(node.args[0]) if node.args else node, first, every - first)
        return NOTHING

    def advance(self, node: ast.Call, first: Value, every: Value) -> Value:
        """`next`: the iterator is another afterwards."""
        self.change(first)
        return elements(every) | self.special(first, "next")

    def number(self, node: ast.Call, first: Value, every: Value) -> Value:
        """`sum`: a number mostly, else what stood in it."""
        return self.new(written(every)) if every else NOTHING

    def parents(self, node: ast.Call, first: Value, every: Value) -> Value:
        """What `super()` gives: the object as its bases see it, sharing all it holds."""
        frame: Frame | None = self.frame
        while frame is not None and (frame.outer is None or frame.outer.owner is None):
            frame = frame.outer
        if frame is None or frame.outer is None or frame.outer.owner is None:
            return NOTHING
        bases = frame.outer.owner.bases
        own = next(iter(frame.names.values()), None)
        found: set[Thing] = set()
        for thing in own.value if own is not None else ():
            seen = Instance(self.step, Class(self.step, Frame(None, "class"), bases))
            seen.changes, seen.inside = thing.changes, thing.inside
            found.add(seen)
        return frozenset(found)

    def execute(self, node: ast.Call, first: Value, every: Value) -> Value:
        """Run `exec` and `eval`: a text written out is read, any other may do anything."""
        text = node.args[0] if node.args else None
        if isinstance(text, ast.Constant) and isinstance(text.value, str) and len(node.args) == 1:
            try:
                tree = ast.parse(text.value)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return NOTHING
            self.run(tree.body)
            last = tree.body[-1] if tree.body else None
            return self.value(last.value) if isinstance(last, ast.Expr) else NOTHING
        self.read_everything()
        self.may_bind_everything()
        return NOTHING

    # -- what statements add

    def run(self, body: Iterable[ast.stmt]) -> None:
        raise NotImplementedError

    def run_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        raise NotImplementedError

    def assign(self, target: ast.AST, value: Value) -> None:
        raise NotImplementedError

    def branches(
        self, bodies: Iterable[Callable[[], None]], *, complete: bool, sure: bool = False
    ) -> None:
        raise NotImplementedError


def runs_at_all(node: ast.AST) -> bool | None:
    """Return whether going through an expression gives something, None where its text does not
    say so: a literal, a `range` of numbers."""
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        whole = [each for each in node.elts if not isinstance(each, ast.Starred)]
        return bool(whole) or (None if node.elts else False)
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        return bool(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        bounds = [each.value for each in node.args if isinstance(each, ast.Constant)]
        if len(bounds) == len(node.args) == 1 and isinstance(bounds[0], int):
            return bounds[0] > 0
    return None


@lru_cache(maxsize=4096)
def _own_names(node: ast.AST) -> frozenset[str]:
    """Return the names a function binds in its own namespace, parameters aside."""
    if isinstance(node, ast.Lambda):
        return frozenset()
    bound: set[str] = set()
    declared: set[str] = set()
    inner = {
        at
        for each in nodes_in(node, nested=False)
        if isinstance(each, ast.comprehension)
        for at in (each.target, *nodes_in(each.target))
    }
    for at in nodes_in(node, nested=False):
        if isinstance(at, ast.Name) and not isinstance(at.ctx, ast.Load) and at not in inner:
            bound.add(at.id)
        elif isinstance(at, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(at.name)
        elif isinstance(at, ast.Import | ast.ImportFrom):
            bound.update(each.asname or each.name.partition(".")[0] for each in at.names)
        elif isinstance(at, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and at.name:
            bound.add(at.name)
        elif isinstance(at, ast.MatchMapping) and at.rest:
            bound.add(at.rest)
        elif isinstance(at, ast.Global | ast.Nonlocal):
            declared.update(at.names)
    return frozenset(bound - declared)


def _decorated(node: ast.AST, *names: str) -> bool:
    decorators = getattr(node, "decorator_list", ())
    found = {d.attr if isinstance(d, ast.Attribute) else getattr(d, "id", "") for d in decorators}
    return not found.isdisjoint(names) or ("setter" in found and "property" in names)


@lru_cache(maxsize=4096)
def _generates(node: ast.AST) -> bool:
    return any(isinstance(at, ast.Yield | ast.YieldFrom) for at in nodes_in(node, nested=False))


_BUILTIN: dict[str, Callable[[Any, ast.Call, Value, Value], Value]] = {
    **dict.fromkeys(("exec", "eval"), Expressions.execute),
    **dict.fromkeys(("globals", "locals", "vars"), Expressions.namespace),
    **dict.fromkeys(("setattr", "delattr"), Expressions.set_attribute),
    **dict.fromkeys(("next", "anext"), Expressions.advance),
    **dict.fromkeys(("sum", "abs", "round", "pow", "divmod"), Expressions.number),
    "super": Expressions.parents,
}
_EVALUATE: dict[type[ast.AST], Callable[[Any, Any], Value]] = {
    ast.Attribute: Expressions.attribute,
    ast.Subscript: Expressions.subscript,
    ast.List: Expressions.literal,
    ast.Tuple: Expressions.literal,
    ast.Set: Expressions.literal,
    ast.Dict: Expressions.literal,
    ast.BinOp: Expressions.operation,
    ast.BoolOp: Expressions.either,
    ast.IfExp: Expressions.either,
    ast.NamedExpr: Expressions.named,
    ast.Lambda: Expressions.make_lambda,
    ast.ListComp: Expressions.comprehension,
    ast.SetComp: Expressions.comprehension,
    ast.DictComp: Expressions.comprehension,
    ast.GeneratorExp: Expressions.comprehension,
    ast.Await: Expressions.awaited,
    ast.YieldFrom: Expressions.awaited,
    ast.Yield: Expressions.yielded,
    ast.Starred: Expressions.starred,
    ast.Call: Expressions.call,
}
