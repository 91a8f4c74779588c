"""The record of one live value, as every operation that looks at values uses it."""

from __future__ import annotations

from msgspec import Struct

DEPTH = 3
"""How deep containers are shown. Source of the three: ChatDBG 1.0, its locals (FSE'25)."""
ITEMS = 10
"""How many items of a container are shown."""
CHARACTERS = 254
"""How many characters of a text, and of one value as a whole, are shown."""


class Column(Struct, frozen=True, kw_only=True):
    """One column of a table; `nulls` None where they were not counted."""

    name: str
    dtype: str
    nulls: int | None = None


class Description(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of one live value. Only what applies is set.

    `type` is `module.qualname` (builtins without module). `kind` is a word for people and rules:
    `scalar`, `text`, `sequence`, `mapping`, `set`, `array`, `table`, `column`, `code`, `class`,
    `module`, `iterator`, `exception`, `model`, `figure`, `connection`, `record`, `object`.
    `length` is what `len` would give, None where asking would run code or fetch data. `keys`
    are the `repr` of a mapping's first keys, `attributes` the public names of an object,
    `columns` those of a table: each at most 1,000. `facts` are further (label, text) pairs, most
    useful first. `value` is the printed value, at most `CHARACTERS` (twice that of tables and
    models, 2,000 where a describer of the user's told it), `""` where printing is not safe.
    `withheld` says that a secret-looking name or value was masked.
    """

    name: str = ""
    type: str
    kind: str = "object"
    shape: tuple[int, ...] | None = None
    length: int | None = None
    dtype: str = ""
    columns: tuple[Column, ...] = ()
    keys: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    signature: str = ""
    source: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    value: str = ""
    withheld: bool = False
