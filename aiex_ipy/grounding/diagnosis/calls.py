"""Arguments that do not fit what is called."""

from __future__ import annotations

import ast
import inspect
import re
import types
from collections.abc import Iterator, Mapping
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import definition, told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.removed import version_of
from aiex_ipy.grounding.diagnosis.sight import (
    class_name,
    close_to,
    enclosing_function,
    matches,
    message,
    mro,
    namespace,
    nodes_at_fault,
    shown,
    text_of,
    type_name,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.evaluate import UNKNOWN, Found, isinstance_
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.fix import Fix

_KEYWORD = r"unexpected keyword argument '(\w+)'(?:\. Did you mean '(\w+)')?"
_MISSING = r"missing (\d+) required (positional|keyword-only) arguments?: (.+)"
_TOO_MANY = (
    r"takes (?:from )?(\d+)(?: to (\d+))? positional arguments? but (\d+) (?:was|were) given"
)
RENAMED: Mapping[str, tuple[str, str, str]] = {
    "sparse": ("sklearn", "scikit-learn 1.4", "sparse_output"),
    "base_estimator": ("sklearn", "scikit-learn 1.4", "estimator"),
    "affinity": ("sklearn", "scikit-learn 1.4", "metric"),
    "normalize": ("sklearn", "scikit-learn 1.2", "StandardScaler in a pipeline"),
    "squared": ("sklearn", "scikit-learn 1.6", "root_mean_squared_error"),
    "n_iter": ("sklearn", "scikit-learn 0.21", "max_iter"),
    "multi_class": ("sklearn", "scikit-learn 1.8", "OneVsRestClassifier"),
    "error_bad_lines": ("pandas", "pandas 2.0", "on_bad_lines"),
    "warn_bad_lines": ("pandas", "pandas 2.0", "on_bad_lines"),
    "squeeze": ("pandas", "pandas 2.0", ".squeeze('columns')"),
    "prefix": ("pandas", "pandas 2.0", "renaming the columns"),
    "line_terminator": ("pandas", "pandas 2.0", "lineterminator"),
    "mangle_dupe_cols": ("pandas", "pandas 2.0", "nothing"),
    "infer_datetime_format": ("pandas", "pandas 3.0", "nothing"),
    "delim_whitespace": ("pandas", "pandas 3.0", "sep='\\s+'"),
    "date_parser": ("pandas", "pandas 3.0", "date_format"),
    "method": ("pandas", "pandas 3.0", ".ffill() or .bfill()"),
    "encoding": ("json", "Python 3.9", "nothing: json reads UTF-8"),
    "loop": ("asyncio", "Python 3.10", "nothing: the running loop is used"),
}
"""Keyword arguments that were removed: library, since when, successor. Sources as in `removed`."""


def wrong_arguments(moment: Moment) -> Iterator[Diagnosis]:
    """Arguments compared with the live signature of what was called."""
    frame = moment.frame
    if type(moment.error) is not TypeError or frame is None:
        return
    said = message(moment.error)
    for call in nodes_at_fault(frame, ast.Call):
        found, value = value_of(call.func, frame)
        if not found:
            found, value = _named(frame, call, said)
        names = parameters(value) if found else []
        for rule in (_keyword, _missing, _too_many, _twice):
            diagnosis = rule(moment, frame, call, value if found else None, names, said)
            if diagnosis is not None:
                yield diagnosis
                return


def _named(frame: LiveFrame, call: ast.Call, said: str) -> Found:
    """The method the message names (`A.run() takes …`), of a class the frame knows."""
    owner, _, method = said.partition("(")[0].rpartition(".")
    found, kind = value_of(ast.Name(id=owner), frame) if owner.isidentifier() else UNKNOWN
    if not found or not isinstance_(kind, type) or not isinstance(call.func, ast.Attribute):
        return UNKNOWN
    held = namespace(kind).get(method)
    if call.func.attr != method or type(held) is not types.FunctionType:
        return UNKNOWN
    return True, types.MethodType(held, object())


def parameters(value: Any) -> list[inspect.Parameter]:
    """Return the parameters of a Python function, method or class, without `self`; [] for others.

    Read from the code object alone: no `__signature__`, descriptor or metaclass is asked.
    """
    bound = False
    if type(value) is types.MethodType:
        value, bound = value.__func__, True
    elif isinstance_(value, type):
        made = next(
            (namespace(k)["__init__"] for k in mro(value) if "__init__" in namespace(k)), None
        )
        value, bound = made, True
    if type(value) is not types.FunctionType:
        return []
    value = inspect.unwrap(value)
    if type(value) is not types.FunctionType:
        return []
    found = list(inspect.Signature.from_callable(value).parameters.values())
    return found[1:] if bound else found


def _keyword(
    moment: Moment,
    frame: LiveFrame,
    call: ast.Call,
    value: Any,
    names: list[inspect.Parameter],
    said: str,
) -> Diagnosis | None:
    told = re.search(_KEYWORD, said)
    if told is None:
        return None
    wrong = told[1]
    given = next((each for each in call.keywords if each.arg == wrong), None)
    if given is None:
        return None
    label = text_of(call.func)
    gone = RENAMED.get(wrong)
    module = (
        getattr(value, "__module__", "")
        if isinstance_(value, type) or (type(value) in {types.FunctionType, types.MethodType})
        else ""
    )
    if not module and isinstance(call.func, ast.Attribute):
        owner = value_of(call.func.value, frame)[1]
        module = class_name(type(owner)) if owner is not None else ""
    if gone is not None and isinstance(module, str) and module.partition(".")[0] == gone[0]:
        fix = None
        if gone[2].isidentifier() and gone[2] != "nothing":
            fix = _keyword_fix(frame, given, gone[2])
        return Diagnosis(
            rule="removed-argument",
            certainty="certain",
            cause=f"{label}() has no argument {wrong!r} any more: it was removed in {gone[1]}; "
            f"this is {version_of(gone[0])}.",
            evidence=(f"{where(frame)}: {text_of(call)}",),
            remedy="Leave it out." if gone[2].startswith("nothing") else f"Use {gone[2]} instead.",
            fix=fix,
        )
    known = [
        each.name
        for each in names
        if each.kind not in {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    ]
    near = close_to(wrong, known, 0.6, 1) or ([told[2]] if told[2] else [])
    if not known and not near:
        return None
    listed = ", ".join(known[:12]) + (" …" if len(known) > 12 else "")
    return Diagnosis(
        rule="unknown-argument",
        certainty="certain",
        cause=f"{label}() has no argument {wrong!r}"
        + (f"; it has {near[0]!r}, spelled almost the same." if near else "."),
        evidence=(f"{label}({listed})",),
        remedy=f"Write {near[0]}=." if near else "Leave it out, or use one of these.",
        fix=_keyword_fix(frame, given, near[0]) if near else None,
    )


def _keyword_fix(frame: LiveFrame, given: ast.keyword, right: str) -> Fix | None:
    text = segment(frame, given)
    old = given.arg or ""
    return rewritten(frame, f"{old} → {right}", (given, right + text[len(old) :]))


def _missing(
    moment: Moment,
    frame: LiveFrame,
    call: ast.Call,
    value: Any,
    names: list[inspect.Parameter],
    said: str,
) -> Diagnosis | None:
    told = re.search(_MISSING, said)
    if told is None or not _is_about(call, said):
        return None
    label = text_of(call.func)
    missing = re.findall(r"'(\w+)'", told[3])
    if missing[:1] in (["self"], ["cls"]) or (
        isinstance(call.func, ast.Attribute) and _on_class(frame, call.func)
    ):
        return _on_the_class(moment, frame, call, label)
    if not names and definition(moment, value) is None:
        return None
    return Diagnosis(
        rule="missing-argument",
        certainty="certain",
        cause=f"{label}() is called without {', '.join(map(repr, missing))}, which "
        f"{'have' if len(missing) > 1 else 'has'} no default.",
        evidence=(_signature(moment, label, value, names), f"{where(frame)}: {text_of(call)}"),
        remedy=f"Give {', '.join(missing)}.",
    )


def _on_the_class(moment: Moment, frame: LiveFrame, call: ast.Call, label: str) -> Diagnosis:
    base = call.func.value if isinstance(call.func, ast.Attribute) else None
    owner = text_of(base) if base is not None else "the class"
    found, kind = value_of(base, frame)
    name = class_name(kind) if found and isinstance_(kind, type) else owner
    steps = traced(moment, frame, base)
    given = [
        s for s in steps if s.how == "assigned" and isinstance(s.node, ast.Name | ast.Attribute)
    ]
    made = given[-1] if given else None
    renamed = name.rpartition(".")[2] != owner.rpartition(".")[2]
    if made is None or made.node is None or not renamed:
        said = f"; {owner} is the class {name} itself, not an instance of it" if renamed else ""
        return Diagnosis(
            rule="called-on-class",
            certainty="certain",
            cause=f"{label}() is called on the class {name}, not on one of its objects, "
            f"so `self` is missing{said}.",
            evidence=(*told(steps), f"{where(frame)}: {text_of(call)}"),
            remedy=f"Make an object first: {name}(…).{label.rpartition('.')[2]}(…).",
        )
    fix = None
    needs = [
        p for p in parameters(kind) if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    if made.code is not None and not needs:
        fix = rewritten(made.code, "()", (made.node, f"{segment(made.code, made.node)}()"))
    return Diagnosis(
        rule="called-on-class",
        certainty="certain",
        cause=f"{owner} is the class {name} itself, not an instance: `{made.name} = "
        f"{text_of(made.node)}` ({made.where}) lacks the parentheses, so {label}() has no object "
        "(`self`) to work on.",
        evidence=(*told(steps), f"{where(frame)}: {text_of(call)}"),
        remedy=f"Make an instance there: {made.name} = {name}({'…' if needs else ''}).",
        fix=fix,
    )


def _on_class(frame: LiveFrame, func: ast.Attribute) -> bool:
    found, owner = value_of(func.value, frame)
    if not found or not isinstance_(owner, type):
        return False
    for each in mro(owner):
        if func.attr in namespace(each):
            return type(namespace(each)[func.attr]) is types.FunctionType
    return False


def _is_about(call: ast.Call, said: str) -> bool:
    called = said.partition("(")[0].rpartition(".")[2]
    name = text_of(call.func).rpartition(".")[2]
    return called == name or called in {"__init__", "<lambda>", "__new__"} or called == ""


def _signature(moment: Moment, label: str, value: Any, names: list[inspect.Parameter]) -> str:
    inside = ", ".join(
        each.name if each.default is inspect.Parameter.empty else f"{each.name}=…" for each in names
    )
    made = definition(moment, value)
    at = f" ({made.place}, line {made.node.lineno})" if made is not None else ""
    return f"{label}({inside}){at}"


def _too_many(
    moment: Moment,
    frame: LiveFrame,
    call: ast.Call,
    value: Any,
    names: list[inspect.Parameter],
    said: str,
) -> Diagnosis | None:
    told = re.search(_TOO_MANY, said)
    if told is None or not _is_about(call, said):
        return None
    label = text_of(call.func)
    made = definition(moment, value)
    if type(value) is types.MethodType and made is not None:
        first = made.node.args.args[0].arg if made.node.args.args else ""
        if first not in {"self", "cls"} and int(told[3]) == len(call.args) + 1:
            head = segment(made.code, made.node)
            fix = None
            opened = re.match(r"(?:async )?def \w+\(", head)
            if opened is not None:
                comma = ", " if made.node.args.args else ""
                text = f"{head[: opened.end()]}self{comma}{head[opened.end() :]}"
                fix = rewritten(made.code, "self", (made.node, text))
            return Diagnosis(
                rule="missing-self",
                certainty="certain",
                cause=f"The method {made.node.name} has no `self` ({made.place}, line "
                f"{made.node.lineno}), and Python gives it the object as first argument.",
                evidence=(f"{where(frame)}: {text_of(call)}",),
                remedy="Add `self` as its first parameter.",
                fix=fix,
            )
    if not names and made is None:
        return None
    return Diagnosis(
        rule="too-many-arguments",
        certainty="certain",
        cause=f"{label}() is given {len(call.args)} positional argument"
        f"{'s' * (len(call.args) != 1)}, more than it takes.",
        evidence=(_signature(moment, label, value, names), f"{where(frame)}: {text_of(call)}"),
        remedy="Leave some out, or name those that must be named.",
    )


def _twice(
    moment: Moment,
    frame: LiveFrame,
    call: ast.Call,
    value: Any,
    names: list[inspect.Parameter],
    said: str,
) -> Diagnosis | None:
    told = re.search(r"got multiple values for (?:keyword )?argument '(\w+)'", said)
    if told is None or all(each.arg != told[1] for each in call.keywords):
        return None
    return Diagnosis(
        rule="argument-twice",
        certainty="certain",
        cause=f"{text_of(call.func)}() gets {told[1]!r} twice: by its position and by its name.",
        evidence=(
            _signature(moment, text_of(call.func), value, names),
            f"{where(frame)}: {text_of(call)}",
        ),
        remedy="Leave out one of the two.",
    )


_KINDS = {
    "str": (str,),
    "int": (int, bool),
    "float": (float, int),
    "list": (list,),
    "dict": (dict,),
    "bool": (bool,),
    "tuple": (tuple,),
    "set": (set,),
    "bytes": (bytes,),
}


def swapped_arguments(moment: Moment) -> Iterator[Diagnosis]:
    """Two arguments of a function given in each other's place, by the types it declares."""
    if type(moment.error) not in {TypeError, AttributeError, ValueError}:
        return
    swapped = matches(moment, TypeError, r"isinstance\(\) arg 2 must be a type")
    frame = moment.frame
    if frame is None:
        return
    if swapped is not None:
        yield from _isinstance(frame)
        return
    function = enclosing_function(frame)
    if function is None or isinstance(function, ast.Lambda):
        return
    declared = [
        (each.arg, _KINDS.get(text_of(each.annotation)))
        for each in function.args.args
        if each.annotation is not None
    ]
    wrong = []
    for name, kinds in declared:
        if kinds and name in frame.locals and type(frame.locals[name]) not in kinds:
            wrong.append((name, kinds, frame.locals[name]))
    if len(wrong) == 2 and type(wrong[0][2]) in wrong[1][1] and type(wrong[1][2]) in wrong[0][1]:
        (a, _, x), (b, _, y) = wrong
        yield Diagnosis(
            rule="swapped-arguments",
            certainty="certain",
            cause=f"The arguments {a!r} and {b!r} of {function.name}() are swapped: {a} is "
            f"{shown(x, a)} and {b} is {shown(y, b)}, each of the type the other declares.",
            evidence=(
                f"{frame.place}, line {function.lineno}: "
                + ", ".join(f"{n}: {type_name(v)}" for n, _, v in wrong),
            ),
            remedy="Swap them where it is called, or name them.",
        )


def _isinstance(frame: LiveFrame) -> Iterator[Diagnosis]:
    for call in nodes_at_fault(frame, ast.Call):
        if text_of(call.func) != "isinstance" or len(call.args) != 2:
            continue
        if not isinstance_(value_of(call.args[0], frame)[1], type):
            continue
        first, second = (segment(frame, each) for each in call.args)
        yield Diagnosis(
            rule="swapped-arguments",
            cause="The arguments of isinstance() are swapped: the value comes first, then the "
            "type.",
            certainty="certain",
            remedy=f"Write isinstance({second}, {first}).",
            fix=rewritten(frame, "swap", (call, f"isinstance({second}, {first})")),
        )
        return
