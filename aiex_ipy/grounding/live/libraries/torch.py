"""torch: tensors, modules and optimizers.

Values are read of small plain tensors in the processor's memory only; a tensor elsewhere would
have to be waited for. Functions and modes that torch would call in their place are switched off.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.live.description import Description
from aiex_ipy.grounding.live.libraries.numpy import size_text, value_range
from aiex_ipy.grounding.live.printing import Printer
from aiex_ipy.grounding.live.static import (
    MISSING,
    attribute,
    class_attribute,
    class_dict,
    derives,
    entries,
    entry,
    full_name,
    is_of,
    mro,
    named,
    public_names,
    qualname,
)

_MODULES = 10_000
_VALUES = 10


def describe(value: Any, base: type, printer: Printer) -> Description | None:
    """Return what is known of a value of torch."""
    torch = sys.modules["torch"]
    kind = type(value)
    name = full_name(kind)
    if base is torch.Size:
        return Description(type=name, kind="scalar", value=printer.text(tuple(value)))
    if base is torch.dtype or base is torch.device:
        return Description(type=name, kind="scalar", value=str(value))
    if derives(base, torch.Tensor):
        with torch._C.DisableTorchFunction():
            return _tensor(value, name, printer)
    if base is torch.nn.Module:
        return _module(value, name, printer)
    if full_name(base) == "torch.optim.optimizer.Optimizer":
        return _optimizer(value, name, printer)
    return None


def _dispatches(kind: type) -> bool:
    """True for tensors whose very sizes may be told by a function of the user's."""
    for each in mro(kind):
        if is_of(each, "torch"):
            return False
        if entry(class_dict(each), "__torch_dispatch__") is not MISSING:
            return True
    return False


def _tensor(value: Any, name: str, printer: Printer) -> Description:
    torch = sys.modules["torch"]
    if _dispatches(type(value)):
        return Description(type=name, kind="array", facts=(("shape", "its own, not asked for"),))

    def read(what: str) -> Any:
        return class_attribute(torch.Tensor, what).__get__(value)

    shape = tuple(int(each) for each in read("shape"))
    device, dtype = read("device"), str(read("dtype")).removeprefix("torch.")
    facts = [("device", str(device))]
    if read("requires_grad"):
        facts.append(("requires_grad", "True"))
    if not read("is_leaf"):
        facts.append(("computed by", type(read("grad_fn")).__name__))
    if read("layout") is not torch.strided:
        facts.append(("layout", str(read("layout")).removeprefix("torch.")))
    shown = ""
    if printer.depth > 0:
        more, shown = _values(value, device, printer)
        facts += more
        count = 1
        for each in shape:
            count *= each
        facts.append(("memory", size_text(count * read("dtype").itemsize)))
    return Description(
        type=name,
        kind="array",
        shape=shape,
        length=shape[0] if shape else None,
        dtype=dtype,
        attributes=public_names(value) if printer.depth > 0 else (),
        facts=tuple(facts),
        value=shown,
    )


def _values(value: Any, device: Any, printer: Printer) -> tuple[list[tuple[str, str]], str]:
    """The range and the first values of a plain tensor in memory, in the order of its elements."""
    torch = sys.modules["torch"]
    modes = getattr(torch._C, "_len_torch_dispatch_stack", int)
    layout = class_attribute(torch.Tensor, "layout").__get__(value)
    plain = device.type == "cpu" and layout is torch.strided
    if not plain or modes() or "numpy" not in sys.modules:
        return [], ""
    tensor: Any = torch.Tensor
    try:
        array = tensor.numpy(tensor.detach(tensor.as_subclass(value, torch.Tensor)))
    except (TypeError, RuntimeError):  # of a type numpy has not; conjugated
        return [], ""
    first = [array[index].item() for index in _first_indexes(array.shape)]
    more = " …" if array.size > len(first) else ""
    return value_range(array), printer.text(first) + more


def _first_indexes(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    from itertools import islice, product

    # `product` makes lists of what it is given: of the axes it needs no more than the first.
    return islice(product(*(range(min(each, _VALUES)) for each in shape)), _VALUES)


def _module(value: Any, name: str, printer: Printer) -> Description | None:
    parameters, modules = attribute(value, "_parameters"), attribute(value, "_modules")
    if not derives(type(parameters), dict) or not derives(type(modules), dict):
        return None  # its `__init__` has not run
    count, trained, places = _counted(value)
    facts = [
        ("parameters", f"{count} ({trained} trained)"),
        ("mode", "training" if attribute(value, "training") is True else "evaluation"),
    ]
    if places:
        facts.append(("held", ", ".join(sorted(places)[:4])))
    children = [
        f"{child}: {qualname(type(inner))}" for child, inner in named(modules, printer.items)
    ]
    names = tuple(each for part in (parameters, modules) for each, _ in named(part, 100))
    return Description(
        type=name,
        kind="model",
        attributes=(*names, *public_names(value))[:1_000],
        facts=tuple(facts),
        value=printer.cut([f"{qualname(type(value))}({', '.join(children)})"], 254),
    )


def _counted(module: Any) -> tuple[int, int, set[str]]:
    """The number of parameters in a module and those within it, each counted once, of those that
    are trained, and where they are."""
    torch = sys.modules["torch"]
    shape = class_attribute(torch.Tensor, "shape")
    seen: set[int] = set()
    todo = [module]
    count = trained = 0
    places: set[str] = set()
    while todo and len(seen) < _MODULES:
        each = todo.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        inner = attribute(each, "_modules")
        if derives(type(inner), dict):
            todo += [child for _, child in entries(inner, _MODULES)]
        own = attribute(each, "_parameters")
        for _, tensor in entries(own, _MODULES) if derives(type(own), dict) else ():
            kind = type(tensor)
            if id(tensor) in seen or not derives(kind, torch.Tensor) or _dispatches(kind):
                continue
            seen.add(id(tensor))
            with torch._C.DisableTorchFunction():
                size = 1
                for length in shape.__get__(tensor):
                    size *= int(length)
                count += size
                trained += size * bool(tensor.requires_grad)
                places.add(f"{tensor.device} {str(tensor.dtype).removeprefix('torch.')}")
    return count, trained, places


def _optimizer(value: Any, name: str, printer: Printer) -> Description | None:
    groups = attribute(value, "param_groups")
    if type(groups) is not list:
        return None
    shown = []
    for group in groups[:3]:
        if type(group) is dict:
            options = {key: item for key, item in named(group) if key != "params"}
            shown.append(printer.text(options))
    return Description(
        type=name,
        kind="object",
        attributes=public_names(value),
        facts=(("groups", str(len(groups))),),
        value="; ".join(shown),
    )
