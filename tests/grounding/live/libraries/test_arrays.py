"""numpy and torch: arrays and tensors."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import pytest

from aiex_ipy.grounding.live.describe import describe, line
from aiex_ipy.grounding.live.libraries.numpy import WHOLE


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (np.arange(6).reshape(2, 3), "numpy.ndarray, shape (2, 3), int64, range 0 to 5"),
        (np.array([1.5, np.nan, np.inf]), "range 1.5 to inf, NaN 1 of 3, infinite 1"),
        (np.array([np.nan]), "shape (1,), float64, NaN 1 of 1"),
        (np.array([True, False]), "true 1 of 2"),
        (np.array(["2020-01-02", "NaT"], "M8[D]"), "range 2020-01-02 to 2020-01-02, NaT 1 of 2"),
        (np.array(["a", "b"]), "shape (2,), <U1 = ['a', 'b']; memory 8 bytes"),
        (np.zeros((0, 3)), "shape (0, 3), float64 = []; memory 0 bytes"),
        (np.array(5), "shape (), int64, range 5 to 5"),
        (np.array([(1, "a")], [("x", int), ("y", "U3")]), "= [(1, 'a')]"),
        (np.float64(3), "numpy.float64 = 3.0"),
        (np.add, "numpy.ufunc, 2 in, 1 out = add"),
        (np.dtype("f4"), "= float32"),
        (np.ma.masked_array([1, 2], [True, False]), "MaskedArray, shape (2,), int64"),
        ([np.zeros((2, 2))], "= [<ndarray shape (2, 2) float64>]"),
    ],
    ids=str,
)
def test_arrays_are_told(value: object, told: str) -> None:
    """Shape, dtype, range, what is missing, memory and the first items."""
    assert told in line(describe(value))


def test_the_range_of_a_large_array_is_that_of_a_sample() -> None:
    """And that is said; also of an array that is larger than all memory."""
    large = np.arange(WHOLE + 1)
    assert "sampled" in dict(describe(large).facts)["range"]
    huge = np.broadcast_to(np.float64(1), (10**6, 10**6))
    found = describe(huge)
    assert found.shape == (10**6, 10**6) and "sampled" in dict(found.facts)["range"]


def test_a_mapped_file_is_not_read(tmp_path: Any) -> None:
    """A range would read all of the file."""
    mapped = np.memmap(tmp_path / "a", dtype="f8", mode="w+", shape=(1000,))
    assert ("mapped", "from a file, not read") in describe(mapped).facts


def test_an_array_of_the_users_own_class_is_told_as_the_array_it_is() -> None:
    """What it overrides is not called."""

    class Own(np.ndarray[Any, Any]):
        @property
        def shape(self) -> Any:  # type: ignore[override]
            raise AssertionError

        def __array_finalize__(self, other: object) -> None:
            finalized.append(1)

    finalized: list[int] = []
    value = np.zeros((2, 3)).view(Own)
    finalized.clear()
    assert describe(value).shape == (2, 3) and finalized == []


def fake_torch() -> types.ModuleType:
    """A module with what the describer asks of torch, as torch 2.15 has it: tensors with C-level
    members, modules and optimizers with their dictionaries. Stands in where torch, half a
    gigabyte, is not installed; with it, the same tests run over the real one."""
    torch: Any = types.ModuleType("torch")

    class Tensor:
        __module__ = "torch"

        def __init__(self, array: Any, grad: bool = False) -> None:
            self.array = np.asarray(array, dtype="f4")
            self.grad = grad

        shape = property(lambda self: self.array.shape)
        dtype = property(lambda self: torch.float32)
        device = property(lambda self: torch.cpu)
        layout = property(lambda self: torch.strided)
        requires_grad = property(lambda self: self.grad)
        is_leaf = property(lambda self: True)

        def detach(self) -> Any:
            return self

        def as_subclass(self, kind: type) -> Any:
            return self

        def numpy(self) -> Any:
            return self.array

    Tensor.__qualname__ = "Tensor"

    class Off:
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    class dtype:
        itemsize = 4

        def __str__(self) -> str:
            return "torch.float32"

    class device:
        type = "cpu"

        def __str__(self) -> str:
            return "cpu"

    class Module:
        def __init__(self) -> None:
            self.__dict__.update(training=True, _parameters={}, _modules={})

    class Size(tuple):  # type: ignore[type-arg]
        pass

    for each in (dtype, device, Size):
        each.__module__, each.__qualname__ = "torch", each.__name__
    Module.__module__, Module.__qualname__ = "torch.nn", "Module"
    torch.__dict__.update(Tensor=Tensor, dtype=dtype, device=device, Size=Size)
    torch.__dict__.update(float32=dtype(), cpu=device(), strided="strided")
    torch._C = types.SimpleNamespace(DisableTorchFunction=Off)
    torch.nn = types.ModuleType("torch.nn")
    torch.nn.Module = Module
    return torch  # type: ignore[no-any-return]


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> Any:
    try:
        import torch as real
    except ImportError:
        found: Any = fake_torch()
        monkeypatch.setitem(sys.modules, "torch", found)
        monkeypatch.setitem(sys.modules, "torch.nn", found.nn)
        return found
    return real


def module_of(torch: Any) -> Any:
    class Net(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

        def __repr__(self) -> str:
            raise AssertionError

    net = Net()
    inner = torch.nn.Module()
    weight = torch.Tensor([[1.0, 2.0, 3.0]])
    inner.__dict__["_parameters"]["weight"] = weight
    net.__dict__["_modules"]["first"] = inner
    net.__dict__["_parameters"]["shared"] = weight
    net.__dict__["_modules"]["itself"] = net
    return net


def test_tensors_are_told(torch: Any) -> None:
    """Shape, dtype, device and, of a plain tensor in memory, the range and the first values."""
    found = describe(torch.Tensor([[1.0, 2.0], [3.0, 4.0]]), "t")
    assert (found.type, found.shape, found.dtype) == ("torch.Tensor", (2, 2), "float32")
    facts = dict(found.facts)
    assert facts["device"] == "cpu" and facts["range"] == "1.0 to 4.0"
    assert found.value == "[1.0, 2.0, 3.0, 4.0]"
    assert describe([torch.Tensor([1.0])]).value == "[<Tensor shape (1,) float32>]"


def test_a_module_tells_its_parameters_once(torch: Any) -> None:
    """Shared parameters and a module that holds itself count once; nothing overridden is called."""
    found = describe(module_of(torch), "net")
    assert found.kind == "model"
    assert dict(found.facts)["parameters"].startswith("3 (")
    assert dict(found.facts)["held"] == "cpu float32"
    assert (
        found.value == "test_a_module_tells_its_parameters_once" or "first: Module" in found.value
    )
    half = torch.nn.Module.__new__(torch.nn.Module)
    assert describe(half).type.endswith("Module")


def test_a_tensor_of_the_users_own_class_is_not_asked() -> None:
    """Neither `__torch_function__` nor `__torch_dispatch__` runs; with the real torch only."""
    torch = pytest.importorskip("torch")
    called: list[Any] = []

    class Own(torch.Tensor):  # type: ignore[misc, name-defined]
        @classmethod
        def __torch_function__(cls, function: Any, *args: Any, **kwargs: Any) -> Any:
            called.append(function)

    value = torch.ones(2, 3).as_subclass(Own)
    called.clear()
    assert describe(value).shape == (2, 3) and called == []

    class Dispatched(torch.Tensor):  # type: ignore[misc, name-defined]
        @classmethod
        def __torch_dispatch__(cls, function: Any, *args: Any, **kwargs: Any) -> Any:
            called.append(function)

    value = torch.ones(2).as_subclass(Dispatched)
    called.clear()
    assert describe(value).shape is None and called == []
    assert describe(torch.empty(10**6, 10**6, device="meta")).shape == (10**6, 10**6)
    assert describe(torch.eye(3).to_sparse()).shape == (3, 3)
    adam = torch.optim.Adam([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    assert "'lr': 0.1" in describe(adam).value
