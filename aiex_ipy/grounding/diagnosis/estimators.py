"""What scikit-learn refuses: data of another form than it was made or fitted for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.shapes import operands, shape_of
from aiex_ipy.grounding.diagnosis.sight import (
    is_a,
    message,
    nodes_at_fault,
    shown,
    text_of,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

MOST_CELLS = 1_000_000
"""Cells of a table whose missing values are counted."""


def unfit_data(moment: Moment) -> Iterator[Diagnosis]:
    """What scikit-learn refuses: not fitted, other columns, missing values, one dimension."""
    error, frame = moment.error, moment.frame
    if frame is None or not isinstance(error, ValueError | AttributeError | TypeError):
        return
    said = message(error)
    if type(error).__name__ == "NotFittedError":
        call = next(iter(nodes_at_fault(frame, ast.Call)), None)
        owner = text_of(call.func.value) if call and isinstance(call.func, ast.Attribute) else "it"
        yield Diagnosis(
            rule="not-fitted",
            certainty="certain",
            cause=f"{owner} was not fitted before it was used.",
            evidence=(f"{where(frame)}: {text_of(call)}",),
            remedy=f"Call {owner}.fit(…) first; a new object made after fitting is not fitted.",
        )
        return
    found = re.search(r"X has (\d+) features, but (\w+) is expecting (\d+) features", said)
    if found:
        yield Diagnosis(
            rule="feature-count",
            certainty="certain",
            cause=f"The data have {found[1]} columns, and {found[2]} was fitted with {found[3]}.",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}", *_shapes(frame)),
            remedy="Give the same columns in the same order as in fit.",
        )
    elif "inconsistent numbers of samples" in said:
        yield Diagnosis(
            rule="length-mismatch",
            certainty="certain",
            cause=f"X and y have different numbers of rows: {said.rpartition(':')[2].strip()}.",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}", *_shapes(frame)),
            remedy="Give one y for each row of X; after dropping rows, drop them in both.",
        )
    elif "contains NaN" in said:
        yield Diagnosis(
            rule="missing-values",
            certainty="certain",
            cause=f"The data have missing values (NaN){_nan_columns(frame)}, which "
            "the estimator does not take.",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy="Drop them (dropna) or fill them (fillna, SimpleImputer).",
        )
    elif re.search(r"Expected 2D array, got 1D|Expected a 2-dimensional container", said):
        yield from _one_dimension(moment, frame)
    elif "feature names should match" in said:
        yield Diagnosis(
            rule="feature-names",
            certainty="certain",
            cause=f"The columns are not those of fit. {' '.join(said.split()[6:40])}",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}", *_shapes(frame)),
            remedy="Give the same columns in the same order as in fit.",
        )


def unfit_classes(moment: Moment) -> Iterator[Diagnosis]:
    """Classes scikit-learn cannot take: continuous numbers, unseen categories, none to split."""
    frame = moment.frame
    if frame is None or not isinstance(moment.error, ValueError):
        return
    said = message(moment.error)
    if "Unknown label type" in said or "mix of binary and continuous" in said:
        yield from _continuous(moment, frame, said)
    elif "unseen labels" in said or "unknown categories" in said:
        unseen = re.search(r"(\[.*?\]|np\.str_\('[^']*'\)|'[^']*')", said)
        yield Diagnosis(
            rule="unseen-category",
            certainty="certain",
            cause=f"The data have categories that fit() did not see: "
            f"{unseen[1] if unseen else 'see the message'}.",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}", *_shapes(frame)),
            remedy="Fit on all categories, or pass handle_unknown='ignore' to OneHotEncoder.",
        )
    elif "train set will be empty" in said:
        yield Diagnosis(
            rule="too-few-rows",
            certainty="certain",
            cause=f"There are too few rows to split: {said.partition(',')[0].strip()}.",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}", *_shapes(frame)),
            remedy="See why so few rows are left, or change test_size.",
        )


def _continuous(moment: Moment, frame: LiveFrame, said: str) -> Iterator[Diagnosis]:
    """Numbers with decimals where classes are needed."""
    for call in nodes_at_fault(frame, ast.Call):
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        maker = type(value_of(owner, frame)[1]).__name__ if owner is not None else ""
        label = text_of(call.args[-1], 40) if call.args else "y"
        who = maker if "Unknown" in said and maker != "NoneType" else text_of(call.func, 40)
        yield Diagnosis(
            rule="continuous-labels",
            certainty="certain",
            cause=f"{label} has continuous numbers, and {who} takes discrete classes (labels).",
            evidence=(f"{where(frame)}: {text_of(call)}",),
            remedy="Use a regressor for numbers"
            " (such as LinearRegression), or make classes of them first."
            if "Unknown" in said
            else "Make classes of them first: y_pred > 0.5, or use a metric for numbers.",
        )
        return


def _shapes(frame: LiveFrame) -> tuple[str, ...]:
    return tuple(f"{text_of(node)} is {shown(value)}" for node, value in operands(frame)[:3])


def _nan_columns(frame: LiveFrame) -> str:
    for node in nodes_at_fault(frame, ast.expr):
        known, value = value_of(node, frame)
        if known and is_a(value, "pandas.DataFrame") and value.size <= MOST_CELLS:
            counts = value.isna().sum()
            holes = [
                f"{name!r} {int(n)}" for name, n in zip(counts.index, counts, strict=True) if n
            ]
            if holes:
                return f" in {text_of(node)}: {', '.join(holes[:5])}"
    return ""


def _one_dimension(moment: Moment, frame: LiveFrame) -> Iterator[Diagnosis]:
    for call in nodes_at_fault(frame, ast.Call):
        for argument in call.args[:1]:
            known, value = value_of(argument, frame)
            label = text_of(argument)
            fix, remedy = None, f"Reshape it: np.reshape({label}, (-1, 1))."
            if known and is_a(value, "pandas.Series"):
                remedy = f"Make a table of it: df[['column']], or {label}.to_frame()."
                fix = rewritten(
                    frame, "to_frame", (argument, f"{segment(frame, argument)}.to_frame()")
                )
                if isinstance(argument, ast.Subscript):
                    inside = segment(frame, argument.slice)
                    fix = rewritten(frame, "table", (argument.slice, f"[{inside}]"))
            elif known and is_a(value, "numpy.ndarray"):
                text = f"{segment(frame, argument)}.reshape(-1, 1)"
                fix = rewritten(frame, "column", (argument, text))
            what = shown(value) if known else "an array"
            size = f" (shape {shape_of(value)})" if shape_of(value) else ""
            yield Diagnosis(
                rule="one-dimension",
                certainty="certain",
                cause=f"{label} is {what} with one dimension{size}, and a table (rows × columns) "
                "is needed.",
                evidence=(
                    f"{where(frame)}: {text_of(call)}",
                    *told(traced(moment, frame, argument)),
                ),
                remedy=remedy,
                fix=fix,
            )
            return
