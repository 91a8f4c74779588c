"""Dotted names found in source files without importing them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from aiex_ipy.errors import UnknownNameError
from aiex_ipy.grounding.documentation.finding import Finder, Found


def read(file: str) -> str | None:
    return Path(file).read_text(encoding="utf-8")


@pytest.fixture
def package(tmp_path: Path) -> Finder:
    """A package that would print when imported, with every kind of re-export."""
    files = {
        "shop/__init__.py": """
            import shop.prices as money
            from . import stock
            from .base import *
            from .base import Base as Root, _hidden
            try:
                from ._fast import speed
            except ImportError:
                def speed(): ...
            from .lazy import later
            total = money.total
            default = stock.Stock()
            add = default.add
            raise SystemExit("imported")
        """,
        "shop/base.py": """
            from shop import Root
            __all__ = ["Base", "helper"]
            class Base:
                '''The base.'''
                kind = "base"
                '''What it is.'''
                def __init__(self): self.size = 0
                def add(self, item): '''Add one.'''
                @property
                def weight(self): '''Its weight.'''
                @weight.setter
                def weight(self, value): ...
            def helper(): ...
            def _hidden(): ...
            def unlisted(): ...
        """,
        "shop/prices.py": """
            from typing import overload
            @overload
            def total(x: int) -> int: ...
            @overload
            def total(x: str) -> str: ...
            def total(x): return x
        """,
        "shop/stock.py": """
            from .base import Base
            class Stock(Base):
                class Inner:
                    def deep(self): ...
                def add(self, item): ...
        """,
        "shop/lazy.py": "def __getattr__(name): ...",
        "shop/lazy.pyi": "def later(x: int) -> int: ...",
        "shop/_fast.cpython-311-x86_64-linux-gnu.so": "\x7fELF",
        "ring/__init__.py": "from .a import x",
        "ring/a.py": "from .b import x",
        "ring/b.py": "from .a import x",
    }
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        import textwrap

        file.write_text(textwrap.dedent(text), encoding="utf-8")
    return Finder(read, [str(tmp_path)])


@pytest.mark.parametrize(
    ("name", "defined"),
    [
        ("shop", "shop"),
        ("shop.base", "shop.base"),
        ("shop.base.Base", "shop.base.Base"),
        ("shop.Base", "shop.base.Base"),
        ("shop.Base.add", "shop.base.Base.add"),
        ("shop.Base.size", "shop.base.Base.size"),
        ("shop.Base.kind", "shop.base.Base.kind"),
        ("shop.Root", "shop.base.Base"),
        ("shop.helper", "shop.base.helper"),
        ("shop._hidden", "shop.base._hidden"),
        ("shop.total", "shop.prices.total"),
        ("shop.money.total", "shop.prices.total"),
        ("shop.stock.Stock.weight", "shop.base.Base.weight"),
        ("shop.stock.Stock.Inner.deep", "shop.stock.Stock.Inner.deep"),
        ("shop.add", "shop.stock.Stock.add"),
        ("shop.default.weight", "shop.base.Base.weight"),
        ("shop.later", "shop.lazy.later"),
    ],
)
def test_re_exports_are_followed(package: Finder, name: str, defined: str) -> None:
    """Through `from .x import y`, aliases, stars with `__all__`, assignments, objects of a
    module, stubs, and base classes."""
    found = package.find(name)
    assert found.name == defined
    assert name in found.names or name == "shop"


def test_overloads_and_properties(package: Finder) -> None:
    """All overloads are kept; a property is its getter."""
    assert len(package.find("shop.total").nodes) == 3
    weight = package.find("shop.Base.weight").node
    assert isinstance(weight, ast.FunctionDef) and ast.get_docstring(weight) == "Its weight."


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("shop.helpr", "helper"),
        ("shop.base.Bas", "Base"),
        ("shop.stock.Stock.wieght", "weight"),
        ("shp.base", "shop"),
        ("ring.x", ""),
        ("shop.unlisted", ""),
        ("nothing_like_this_at_all", ""),
    ],
)
def test_a_name_that_is_not_there(package: Finder, name: str, hint: str) -> None:
    """The near miss is named; modules that import each other in a circle end the search."""
    with pytest.raises(UnknownNameError) as caught:
        package.find(name)
    assert hint in str(caught.value)


def test_inherited_docstrings(package: Finder) -> None:
    """A method without a docstring has that of the class above."""
    found = package.find("shop.stock.Stock.add")
    assert package.inherited_docstring(found) == ("Add one.", "shop.base.Base.add")


def library(name: str) -> Found:
    return Finder(read, sys.path).find(name)


@pytest.mark.parametrize(
    ("name", "defined"),
    [
        ("sqlalchemy.orm.Session.execute", "sqlalchemy.orm.session.Session.execute"),
        ("numpy.linspace", "numpy._core.function_base.linspace"),
        ("numpy.ndarray.sum", "numpy._ArrayOrScalarCommon.sum"),
        ("pandas.DataFrame.groupby", "pandas.core.frame.DataFrame.groupby"),
        ("json.JSONDecoder.decode", "json.decoder.JSONDecoder.decode"),
        ("random.randint", "random.Random.randint"),
        ("asyncio.gather", "asyncio.tasks.gather"),
    ],
)
def test_real_libraries(name: str, defined: str) -> None:
    """Installed packages, where they define their public names elsewhere."""
    assert library(name).name == defined


@pytest.mark.slow
def test_looking_up_imports_nothing() -> None:
    """`sys.modules` holds nothing of the package that was looked up, in a process that has not
    imported it."""
    code = (
        "import sys, aiex\n"
        "aiex.doc('sqlalchemy.orm.Session.execute', run=False, provider='none')\n"
        "before = set(sys.modules)\n"
        "for name in ('sqlalchemy.orm.Session.execute', 'pandas.DataFrame', 'numpy.ndarray.sum'):\n"
        "    found = aiex.doc(name, provider='none')\n"
        "    assert found.distribution, found\n"
        "tops = {'sqlalchemy', 'pandas', 'numpy', 'jedi'}\n"
        "new = [m for m in sys.modules if m.partition('.')[0] in tops]\n"
        "assert not new, new\n"
        "more = {m.partition('.')[0] for m in set(sys.modules) - before}\n"
        "assert more <= {'aiex_ipy', *sys.stdlib_module_names}, more\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
