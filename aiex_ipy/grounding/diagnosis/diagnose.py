"""The rules, asked in order; what they say stands most certain first."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable
from importlib import import_module

from msgspec.structs import replace

from aiex_ipy.grounding.diagnosis import (
    argument_order,
    attributes,
    calculation,
    calls,
    classes,
    conversion,
    dataclass_fields,
    fitness,
    flow,
    imports,
    iterators,
    json_data,
    keys,
    lifetimes,
    lost_work,
    matching,
    members,
    names,
    nothing,
    numerics,
    operands,
    paths,
    positions,
    processes,
    quantities,
    rebinding,
    recursion,
    repeats,
    shapes,
    spreading,
    suspects,
    syntax,
    texts,
    waiting,
)
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.failure.moment import Moment

Rule = Callable[[Moment], Iterable[Diagnosis]]


def _of(module: str, rule: str, *libraries: str) -> Rule:
    """Return a rule about libraries, whose module is imported once one of them is: the first
    diagnosis of a session waits for no other."""

    def ask(moment: Moment) -> Iterable[Diagnosis]:
        if not any(each in sys.modules for each in libraries):
            return ()
        found: Rule = getattr(import_module(f"{__package__}.{module}"), rule)
        return found(moment)

    return ask


RULES: tuple[Rule, ...] = (
    syntax.unparsable,
    rebinding.rebound_global,
    rebinding.star_import,
    rebinding.redefined_function,
    spreading.sequence_for_arguments,
    nothing.nothing_used,
    nothing.nothing_asked,
    waiting.not_awaited,
    waiting.wrong_loop,
    names.overwritten_name,
    members.class_scope,
    names.undefined_name,
    flow.unbound_local,
    lost_work.dead_worker,
    attributes.half_made_module,
    attributes.wrong_accessor,
    processes.option_name,
    processes.failed_command,
    classes.never_set,
    dataclass_fields.field_order,
    dataclass_fields.mutable_field,
    dataclass_fields.frozen,
    classes.abstract_class,
    attributes.missing_attribute,
    _of("tables", "wrong_separator", "pandas", "polars"),
    _of("table_use", "misused_table", "pandas"),
    _of("labels", "label_for_position", "pandas"),
    keys.missing_key,
    positions.index_out_of_range,
    operands.joined_numbers,
    operands.naive_and_aware,
    operands.mixed_operands,
    texts.text_for_number,
    texts.text_for_bytes,
    texts.mixed_sorting,
    texts.format_values,
    texts.no_member,
    texts.outside_range,
    members.called_wrongly,
    members.unset_attribute,
    members.not_implemented,
    members.raised_other,
    members.returned_early,
    fitness.ambiguous_truth,
    fitness.float_index,
    fitness.wrong_format,
    fitness.unfit_value,
    calls.wrong_arguments,
    calls.swapped_arguments,
    argument_order.misplaced_arguments,
    conversion.no_number,
    spreading.split_parts,
    conversion.wrong_count,
    conversion.no_date,
    json_data.no_json,
    json_data.not_serializable,
    iterators.spent_source,
    quantities.nothing_to_take,
    quantities.zero_divisor,
    quantities.out_of_domain,
    conversion.no_whole_number,
    calculation.hidden_column,
    shapes.mismatched_shapes,
    shapes.table_mismatch,
    _of("estimators", "unfit_data", "sklearn"),
    _of("estimators", "unfit_classes", "sklearn"),
    recursion.endless_recursion,
    _of("databases", "plain_sql", "sqlalchemy"),
    _of("validation", "refused_by_model", "pydantic"),
    _of("schemas", "other_schema", "polars"),
    _of("schemas", "refused_by_polars", "polars"),
    _of("arrays", "refused_array", "numpy"),
    _of("tables", "refused_table", "pandas", "polars"),
    flow.changed_while_looped,
    flow.spent_iterator,
    flow.wrong_pattern,
    lifetimes.closed_file,
    lifetimes.context_manager,
    paths.missing_file,
    paths.wrong_kind_of_file,
    paths.wrong_encoding,
    imports.shadowed_within,
    imports.missing_module,
    imports.missing_member,
    waiting.in_thread,
    suspects.grown_default,
    matching.chained_assignment,
    suspects.spent_values,
    iterators.spent_value,
    suspects.shared_object,
    suspects.late_binding,
    suspects.class_attribute,
    suspects.threads_without_lock,
    matching.empty_table,
    numerics.wrong_number,
    calculation.wrong_calculation,
    repeats.run_again,
    repeats.discarded_result,
    _of("dates", "month_first", "pandas", "polars"),
    suspects.stale_value,
    calculation.failed_assertion,
)
ORDER = ("certain", "likely", "possible")
DECIDING = frozenset(
    {
        "dead-worker",
        "hidden-column",
        "module-called",
        "one-for-several",
        "property-called",
        "return-in-loop",
        "swapped-arguments",
        "unbracketed-condition",
        "unpacked-dict",
        "wrong-separator",
    }
)
"""Rules whose finding makes others' mere consequences."""
SETTLES: dict[str, frozenset[str]] = {
    "overwritten-name": frozenset({"unfit-value", "wrong-type"}),
    "label-for-position": frozenset({"missing-key"}),
    "off-by-one": frozenset({"position-out-of-range"}),
    "no-date": frozenset({"out-of-range"}),
    "rows-of-table": frozenset({"unpack-count"}),
    "missing-engine": frozenset({"missing-module"}),
    "several-columns": frozenset({"missing-key"}),
    "shadowed-module": frozenset({"circular-import", "missing-import-name", "near-miss-attribute"}),
}
"""Rules whose finding leaves nothing to say for others: these would tell the same once more, or
offer a change that does not mend."""
ALONE = frozenset({"float-equality", "off-by-one", "shadowed-module"})
"""Rules of which the first finding alone is kept: several find the same in their own words."""
MOST = 4
"""Diagnoses shown; further ones would only tire."""
DEADLINE_S = 0.1
"""Processor time after which no further rule is asked: what else runs must not decide what is
said."""


def diagnose(moment: Moment, *, earlier: bool = False) -> tuple[Diagnosis, ...]:
    """Return what the facts say about a failure, most certain first, at most `MOST`.

    Where nothing is known of the error itself, those it came from are looked at, unless this is
    one of them (`earlier`). A rule that fails says nothing: the report matters more.
    """
    end = time.thread_time() + DEADLINE_S
    found: list[Diagnosis] = []
    for rule in (*RULES, _members, *(() if earlier else (_causes,))):
        if rule is _causes and found:
            break
        try:
            found.extend(rule(moment))
        except Exception:  # noqa: S112 - a rule that met what it did not expect is quiet
            continue
        if time.thread_time() > end:
            break
    deciding = [each for each in found if each.rule in DECIDING]
    found = deciding or found
    found = _settled(found)
    unique = {each.cause: each for each in reversed(found)}
    kept = [each for each in found if unique[each.cause] is each]
    kept = sorted(kept, key=lambda each: ORDER.index(each.certainty))[:MOST]
    return tuple(_without_secrets(each, moment) for each in kept)


def _without_secrets(found: Diagnosis, moment: Moment) -> Diagnosis:
    """What is said, without the secrets that the capture met; what a fix changes stays."""
    if moment.mask is None:
        return found
    clean = moment.mask.text
    return replace(
        found,
        cause=clean(found.cause),
        evidence=tuple(clean(line) for line in found.evidence),
        remedy=clean(found.remedy),
    )


def _settled(found: list[Diagnosis]) -> list[Diagnosis]:
    """The findings without those that others settle."""
    gone = {rule for each in found for rule in SETTLES.get(each.rule, ())}
    kept: list[Diagnosis] = []
    for each in found:
        again = each.rule in ALONE and any(other.rule == each.rule for other in kept)
        if each.rule not in gone and not again:
            kept.append(_told_well(each))
    return kept


def _told_well(found: Diagnosis) -> Diagnosis:
    """A finding without evidence that says nothing: a place alone, `3 = 3`."""
    evidence = tuple(each for each in found.evidence if not _is_empty(each))
    return replace(found, evidence=evidence) if evidence != found.evidence else found


def _is_empty(line: str) -> bool:
    said = line.partition(": ")[2] if re.match(r".*, line \d+: ", line) else line
    for sign in (" = ", " is "):
        left, found, right = said.partition(sign)
        if found and left.strip() == right.strip():
            return True
    return not said.strip() or line.rstrip().endswith(":")


def _members(moment: Moment) -> Iterable[Diagnosis]:
    """What is to be said of each error of a group."""
    return waiting.members_of(moment, diagnose)


def _causes(moment: Moment) -> Iterable[Diagnosis]:
    """What is to be said of the errors this one came from."""
    return waiting.causes_of(moment, lambda each: diagnose(each, earlier=True))
