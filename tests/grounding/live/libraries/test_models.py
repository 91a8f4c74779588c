"""matplotlib, scikit-learn, SQLAlchemy and pydantic."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pydantic
import pytest
import sqlalchemy as sa
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from aiex_ipy.grounding.live.describe import describe, line


@pytest.fixture
def axes() -> Iterator[Any]:
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, found = plt.subplots(1, 2)
    figure.suptitle("Sales")
    found[0].plot([1, 2], label="north")
    found[0].set(title="By month", xlabel="month", ylabel="EUR")
    found[1].bar([1], [2])
    yield found
    plt.close(figure)


def test_figures_are_told_by_what_is_on_them(axes: Any) -> None:
    """Titles, labels and the number of lines; the figure is not drawn."""
    facts = dict(describe(axes[0].figure).facts)
    assert facts["title"] == "'Sales'"
    assert facts["axes 0"] == "title 'By month', x 'month', y 'EUR', 1 Line2D"
    told = describe(axes[0])
    assert told.kind == "figure" and ("lines", "'north'") in told.facts
    assert "1 Rectangle" in line(describe(axes[1]))


def test_estimators_are_told_by_parameters_and_fitting() -> None:
    """Fitted or not, the features it knows, and the parameters, read as they are."""

    class Own(LogisticRegression):
        def __getattribute__(self, name: str) -> Any:
            if watched:
                raise AssertionError(name)
            return super().__getattribute__(name)

    watched: list[int] = []
    model = Own(C=3).fit(pd.DataFrame({"age": [1, 2], "pay": [3, 4]}), ["x", "y"])
    watched.append(1)
    found = describe(model)
    facts = dict(found.facts)
    assert (facts["fitted"], facts["features"]) == ("yes", "2")
    assert facts["feature names"] == "['age', 'pay']" and facts["classes"] == "['x', 'y']"
    assert "C=3" in describe(LogisticRegression(C=3)).value
    assert ("fitted", "no") in describe(LinearRegression()).facts
    pipeline = describe(make_pipeline(StandardScaler(), LinearRegression()))
    steps = "standardscaler: StandardScaler, linearregression: LinearRegression"
    assert ("steps", steps) in pipeline.facts


def test_engines_are_told_without_a_password_or_a_connection() -> None:
    """The URL without what is secret, the dialect and the pool; the creator is never called."""

    def never() -> Any:
        raise AssertionError

    driver: Any = types.SimpleNamespace(paramstyle="qmark", sqlite_version_info=(3, 40, 0))
    driver.sqlite_version = "3.40.0"
    engine = sa.create_engine("sqlite://", creator=never, module=driver)
    found = describe(engine)
    facts = dict(found.facts)
    assert facts["dialect"] == "sqlite" and "pool" in facts and found.kind == "connection"
    url = sa.make_url("postgresql+psycopg2://me:hunter2@db:5432/shop?sslkey=hunter2")
    told = describe(url)
    assert told.value == "postgresql+psycopg2://me:[withheld]@db:5432/shop?sslkey=…"
    assert told.withheld and "hunter2" not in repr(told)
    session = describe(Session(engine))
    assert ("bound to", "Engine") in session.facts and ("transaction", "none") in session.facts


def test_tables_and_mapped_objects_are_told() -> None:
    """Columns with their types; of an object the attributes that are loaded, no others."""

    class Base(DeclarativeBase):
        pass

    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(sa.String(30))
        password: Mapped[str]

    found = describe(User.__table__)
    assert [(each.name, each.dtype) for each in found.columns] == [
        ("id", "Integer"),
        ("name", "String(30)"),
        ("password", "String"),
    ]
    assert ("primary key", "id") in found.facts
    told = describe(User(id=1, password="hunter2"))
    assert "id=1" in told.value and "hunter2" not in repr(told) and "name=" not in told.value


def test_pydantic_models_are_told_by_their_fields() -> None:
    """Fields with types and values; what is hidden or secret stays so; nothing computed runs."""

    class Account(pydantic.BaseModel):
        number: int
        key: pydantic.SecretStr = pydantic.SecretStr("hunter2")
        token: str = "hunter2"
        hidden: str = pydantic.Field("hunter2", repr=False)

        @pydantic.computed_field  # type: ignore[prop-decorator]
        @property
        def total(self) -> int:
            raise AssertionError

        def __repr__(self) -> str:
            raise AssertionError

    found = describe(Account(number=3))
    facts = dict(found.facts)
    assert facts["fields"] == "number: int, key: SecretStr, token: str, hidden: str"
    assert facts["set"] == "number" and "number=3" in found.value
    assert "hunter2" not in repr(found)
    half = Account.__new__(Account)
    assert describe(half).kind == "record"


def test_no_library_is_imported_for_a_description() -> None:
    """A describer is loaded only when the user has imported the library."""
    import subprocess
    import sys

    code = (
        "import sys\nfrom aiex_ipy.grounding.live.describe import describe\n"
        "class C: __module__ = 'pandas'\n"
        "describe([C(), 1, 'a', open, sys])\n"
        "print([m for m in ('numpy', 'pandas', 'polars', 'torch', 'dask', 'pydantic', 'asyncio')"
        " if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_a_class_that_only_says_it_is_a_librarys_is_not_taken_for_it() -> None:
    """`__module__` and the name alone do not make a frame."""

    class DataFrame:
        __module__ = "pandas"

        def __init__(self) -> None:
            self._mgr = np.zeros(3)

    assert describe(DataFrame()).kind == "object"
