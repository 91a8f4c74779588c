"""Descriptions of the user's own: `_repr_llm_` and registered describers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import aiex
from aiex_ipy.errors import UsageError
from aiex_ipy.grounding.live.describe import describe
from aiex_ipy.grounding.live.description import Description
from aiex_ipy.grounding.live.namespace import namespace
from aiex_ipy.grounding.live.registered import forget


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    forget()


class Cart:
    def _repr_llm_(self) -> str:
        return "a cart of 3 things, api_key=hunter2hunter2"


class Sub(Cart):
    pass


class Other:
    pass


def test_a_method_of_the_type_tells_its_objects() -> None:
    """`_repr_llm_` wins over what would be read; secrets in it are masked; subclasses have it."""
    for value in (Cart(), Sub()):
        found = describe(value, "cart")
        assert found.value == "a cart of 3 things, api_key=[withheld]" and found.withheld


def test_a_method_of_the_object_alone_is_not_called() -> None:
    """As special methods go: found on the type, not on the instance, and not by `__getattr__`."""

    class Mock:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    value = Other()
    value._repr_llm_ = lambda: "no"  # type: ignore[attr-defined]
    assert describe(value).value == "<Other>"
    assert describe(Mock()).value.endswith("Mock>")
    assert describe(Cart).kind == "class"


def test_a_registered_describer_tells_a_type_and_its_subclasses() -> None:
    """By class or by full name; the last one registered is asked; a Description is taken, too."""
    aiex.register_describer(Cart, lambda value: "first")
    aiex.register_describer(f"{__name__}.Cart", lambda value: "second")
    assert describe(Sub()).value == "second"
    made = Description(type="shop.Cart", kind="record", value="x" * 9_000, keys=("k" * 999,))
    aiex.register_describer(Cart, lambda value: made)
    found = describe(Cart(), "cart")
    assert (found.name, found.type, found.kind) == ("cart", "shop.Cart", "record")
    assert len(found.value) <= 2_000 and len(found.keys[0]) <= 200
    assert aiex.describe(Cart(), "cart") == found


def failing(value: Any) -> str:
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("describer", "why"),
    [
        (failing, "it raised SystemExit"),
        (lambda value: 3, "it gave neither a text nor a Description"),
        (lambda value: describe.missing, "it raised AttributeError"),  # type: ignore[attr-defined]
    ],
)
def test_a_describer_that_fails_is_not_asked_again(describer: Any, why: str) -> None:
    """What would be read without it is told, and why it is not asked."""
    aiex.register_describer(Other, describer)
    first = describe(Other())
    assert first.facts == (
        ("describer", f"the describer of {__name__}.Other is not asked any more: {why}"),
    )
    assert first.value == "<Other>"
    again = describe(Other())
    assert again.facts == (("describer", f"the describer of {__name__}.Other is not asked: {why}"),)


def test_a_describer_that_hangs_is_left_behind() -> None:
    """It is waited for once; its thread does not keep the interpreter, and few may pile up."""
    free = threading.Event()
    asked: list[int] = []

    def hanging() -> Any:
        def wait(value: Any) -> str:
            asked.append(1)
            free.wait()
            return "late"

        return wait

    for _ in range(8):
        aiex.register_describer(Other, hanging())
        assert "longer than 100 ms" in str(describe(Other())) or "others have not" in str(
            describe(Other())
        )
    threads = [each for each in threading.enumerate() if each.name == "aiex-describer"]
    assert 1 <= len(asked) <= 4 and len(threads) <= 4 and all(each.daemon for each in threads)
    free.set()
    for each in threads:
        each.join(10)
    aiex.register_describer(Other, lambda value: "well")
    assert describe(Other()).value == "well"


@pytest.mark.parametrize("target", [3, "Name", None])
def test_a_describer_is_registered_for_a_type(target: Any) -> None:
    """What is neither a class nor its full name is refused."""
    with pytest.raises(UsageError, match="cannot be registered"):
        aiex.register_describer(target, str)
    with pytest.raises(UsageError, match="cannot be called"):
        aiex.register_describer(Other, 3)  # type: ignore[arg-type]


def test_an_overview_has_data_first_and_the_last_bound_first() -> None:
    """IPython's own names and those with an underscore are left out; modules come last."""
    names = {
        "In": [],
        "_x": 1,
        "old": 1,
        "json": threading,
        "f": failing,
        "new": 2,
        "describe": describe,
    }
    assert [each.name for each in namespace(names)] == ["new", "old", "f", "json"]
    assert [each.name for each in namespace(names, 2)] == ["new", "old"]


def test_an_overview_ends_in_time() -> None:
    """Once the time is over, the types alone are told."""
    names = {f"n{number}": [number] for number in range(100)}
    found = namespace(names, 50, deadline_s=0)
    assert len(found) == 50 and all(each.type == "list" and not each.value for each in found)


def test_an_overview_of_a_namespace_that_changes() -> None:
    """Another thread binds and removes names meanwhile."""
    names: dict[str, Any] = {f"n{number}": number for number in range(1_000)}
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            names.update({f"m{number}": number for number in range(50)})
            for number in range(50):
                names.pop(f"m{number}")

    thread = threading.Thread(target=change)
    thread.start()
    try:
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            assert len(namespace(names, 10)) <= 10
    finally:
        stop.set()
        thread.join()
