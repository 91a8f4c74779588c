"""jedi on demand: definitions, types, signatures, references; and it leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys

import pytest

from aiex_ipy.grounding.explain import explain_symbol
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.python import parse
from aiex_ipy.grounding.types import Types

TEXT = """from pathlib import Path

class Shelf:
    def put(self, item: str) -> int:
        return len(item)

def use(name):
    shelf = Shelf()
    shelf.put(name)
    path = Path(name)
    with path.open() as file:
        return file.read(), "ä", shelf.put("x")
"""


@pytest.fixture(scope="module")
def types() -> Types:
    return Types(Subject(path="shop.py", text=TEXT))


@pytest.mark.slow
def test_a_name_leads_to_its_definition(types: Types) -> None:
    """A method of a local value is found in its class, an imported one in its module."""
    (put,) = types.definitions(9, 11)
    assert (put.name.rpartition("Shelf.")[2], put.kind, put.line) == ("put", "function", 4)
    assert types.definitions(11, 17)[0].name == "pathlib.Path.open"


@pytest.mark.slow
def test_an_expression_has_a_type_and_a_call_a_signature(types: Types) -> None:
    """`shelf` is a `Shelf`; `put` takes an item."""
    assert [found.name.rpartition(".")[2] for found in types.inferred(9, 6)] == ["Shelf"]
    (signature,) = types.signatures(9, 16)
    assert (signature.text, signature.parameters) == ("put(item: str) -> int", ("item: str",))


@pytest.mark.slow
def test_references_come_in_source_order(types: Types) -> None:
    """The definition and both uses; columns count characters, not bytes."""
    found = types.references(9, 11)
    assert [(r.line, r.column, r.definition) for r in found] == [
        (4, 9, True),
        (9, 11, False),
        (12, 40, False),
    ]


def test_nonsense_gives_no_answer_and_no_error() -> None:
    """Broken text and positions outside it are answered with nothing."""
    broken = Types(Subject(path="x.py", text="def (((\n\x00"))
    assert broken.definitions(1, 1) == ()
    assert broken.references(99, 99) == ()


@pytest.mark.slow
def test_an_explanation_names_what_calls_on_values_mean() -> None:
    """Names alone cannot tell what `path.open` is; inference can, when it is asked."""
    module = parse(Subject(path="shop.py", text=TEXT))
    plain = {c.name: c.defined for c in explain_symbol(module, "use").callees}
    assert set(plain.values()) == {""}
    told = {c.name: c.defined for c in explain_symbol(module, "use", infer_at_most=9).callees}
    assert told["path.open"] == "pathlib.Path.open"
    assert told["shelf.put"].endswith("Shelf.put")


@pytest.mark.slow
def test_inference_leaves_no_process_and_no_thread() -> None:
    """jedi's usual helper process is not started."""
    code = (
        "import os, threading\n"
        "from aiex_ipy.grounding.types import Types\n"
        "from aiex_ipy.grounding.facts import Subject\n"
        "Types(Subject(path='a', text='import re\\nre.compile')).definitions(2, 6)\n"
        "print(threading.active_count(), os.path.exists('/proc') and open("
        "f'/proc/self/task/{os.getpid()}/children').read())"
    )
    if not sys.platform.startswith("linux"):
        pytest.skip("children are listed on Linux only")
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert out.split() == ["1"]
