"""scikit-learn: estimators, told by their parameters and by what fitting has left in them."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from aiex_ipy.grounding.live.description import Description
from aiex_ipy.grounding.live.printing import Printer
from aiex_ipy.grounding.live.static import (
    attributes,
    class_attribute,
    full_name,
    public_names,
    qualname,
    text_of,
)

_FITTED = 20


def describe(value: Any, base: type, printer: Printer) -> Description | None:
    """Return what is known of an estimator; none of its methods is called."""
    if full_name(base) != "sklearn.base.BaseEstimator":
        return None
    own = dict(attributes(value))
    # Source: scikit-learn, "Developing scikit-learn estimators": what fitting learns ends in "_".
    fitted = [name for name in own if name.endswith("_") and not name.startswith("_")]
    facts = [("fitted", "yes" if fitted else "no")]
    if type(own.get("n_features_in_")) is int:
        facts.append(("features", str(own["n_features_in_"])))
    for label, name in (("feature names", "feature_names_in_"), ("classes", "classes_")):
        if name in own and printer.depth > 0:
            facts.append((label, printer.text(_listed(own[name]), 200)))
    if type(own.get("steps")) is list:
        facts.append(("steps", ", ".join(_step(each) for each in own["steps"][: printer.items])))
    if fitted and printer.depth > 0:
        facts.append(("learned", ", ".join(fitted[:_FITTED])))
    return Description(
        type=full_name(type(value)),
        kind="model",
        attributes=public_names(value),
        facts=tuple(facts),
        value=_parameters(value, own, printer),
    )


def _parameters(value: Any, own: dict[str, Any], printer: Printer) -> str:
    init = class_attribute(type(value), "__init__")
    names = list(own)
    if type(init) is FunctionType:
        code = init.__code__
        names = list(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount])
    shown = [
        f"{name}={printer.named(name, own[name], 80)}"
        for name in names
        if name in own and not name.endswith("_") and name != "steps"
    ]
    return printer.cut([f"{qualname(type(value))}({', '.join(shown)})"], 2 * printer.characters)


def _listed(values: Any) -> Any:
    """The items of an array as a list, for the print."""
    kind = type(values)
    return values[:20].tolist() if full_name(kind) == "numpy.ndarray" else values


def _step(step: Any) -> str:
    if type(step) is tuple and len(step) == 2:
        return f"{text_of(step[0]) or '?'}: {qualname(type(step[1]))}"
    return "?"
