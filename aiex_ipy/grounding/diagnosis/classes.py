"""Classes whose objects lack what their methods need."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aiex_ipy.grounding.diagnosis.edit import rewritten
from aiex_ipy.grounding.diagnosis.origin import definition
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    close_to,
    in_scope,
    matches,
    mro,
    name_value,
    namespace,
    public_attributes,
    shown,
    text_of,
    where,
)
from aiex_ipy.grounding.failure.evaluate import isinstance_
from aiex_ipy.grounding.failure.moment import Moment


def never_set(moment: Moment) -> Iterator[Diagnosis]:
    """An attribute of an object of the user's that no method that ran has set."""
    error, frame = moment.error, moment.frame
    if type(error) is not AttributeError or not error.name or frame is None:
        return
    value, name = error.obj, error.name
    kind = type(value)
    if namespace(kind).get("__getattr__") is not None or name in public_attributes(value):
        return
    own = definition(moment, namespace(kind).get("__init__"))
    for each in mro(kind):
        made = definition(moment, namespace(each).get("__init__"))
        if made is None:
            continue
        for node in in_scope(made.node.body):
            if not isinstance(node, ast.Assign | ast.AnnAssign):
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            texts = {text_of(target) for target in targets}
            place = f"{made.place}, line {node.lineno}"
            if name in texts and each is kind:
                target = next(t for t in targets if text_of(t) == name)
                yield Diagnosis(
                    rule="missing-self",
                    cause=f"{kind.__qualname__} has no {name!r}: `{text_of(node)}` ({place}) makes "
                    "a local variable, not an attribute.",
                    certainty="certain",
                    evidence=(f"{where(frame)}: {name!r} is asked of {shown(value)}",),
                    remedy=f"Write self.{name} = … there.",
                    fix=rewritten(made.code, "self", (target, f"self.{name}")),
                )
                return
            if f"self.{name}" in texts and each is not kind and own is not None:
                if (
                    any(
                        "super()" in text_of(n)
                        for n in ast.walk(own.node)
                        if isinstance(n, ast.Call)
                    )
                    or own.node is made.node
                ):
                    continue
                yield Diagnosis(
                    rule="no-super-init",
                    cause=f"{each.__qualname__}.__init__ sets {name!r} ({place}), and "
                    f"{kind.__qualname__}.__init__ ({own.place}, line {own.node.lineno}) does not "
                    "call it.",
                    certainty="certain",
                    evidence=(f"{where(frame)}: {name!r} is asked of {shown(value)}",),
                    remedy=f"Call super().__init__(…) in {kind.__qualname__}.__init__.",
                )
                return


def abstract_class(moment: Moment) -> Iterator[Diagnosis]:
    """An object of a class that lacks methods its base demands."""
    frame = moment.frame
    found = matches(
        moment,
        TypeError,
        r"Can't instantiate abstract class (\w+) .*abstract methods? (.+)$",
    )
    if found is None or frame is None:
        return
    missing = [each.strip(" '") for each in found[2].split(",")]
    kind = name_value(found[1], frame)[1]
    own = [each for each in namespace(kind) if each[:2] != "__"] if isinstance_(kind, type) else []
    near = close_to(missing[0], own)
    hint = f"; it has {near[0]!r}, spelled almost the same" if near else ""
    yield Diagnosis(
        rule="abstract-class",
        cause=f"{found[1]} does not define {', '.join(missing)}, which its base class demands"
        f"{hint}.",
        certainty="certain",
        evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
        remedy=f"Rename {near[0]!r} to {missing[0]!r}."
        if near
        else f"Define {missing[0]}() in {found[1]}.",
    )
