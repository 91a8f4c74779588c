"""What a model is told of the live objects that unfinished code uses."""

from __future__ import annotations

import re
from types import ModuleType

from aiex_ipy.grounding.completing import reading, tables
from aiex_ipy.grounding.completing.evaluating import Names
from aiex_ipy.grounding.completing.place import Place
from aiex_ipy.grounding.live.describe import describe, line
from aiex_ipy.grounding.live.static import MISSING, module_of

MOST_OBJECTS = 12
CODE_CHARACTERS = 2_000
LINE_CHARACTERS = 400
MOST_COLUMNS = 40


def facts(place: Place, names: Names) -> tuple[str, ...]:
    """Return a line on each live name the code uses, those nearest the cursor first: type, shape,
    columns, signature. Secret-looking values are left out."""
    used = re.findall(r"(?<![.\w])[^\W\d]\w*", place.code[-CODE_CHARACTERS:])
    found = []
    for name in dict.fromkeys(reversed(used)):
        value = names.own(name)
        if value is MISSING or module_of(type(value)).startswith("aiex_ipy"):
            continue
        if reading.is_a(value, ModuleType):
            found.append(f"{name}: module {reading.own(value).get('__name__', '')}")
        else:
            described = describe(value, name, depth=1, items=3, characters=80)
            told = line(described)[:LINE_CHARACTERS]
            columns = None if described.columns else tables.columns(value)
            if columns is not None:
                told += f", columns {', '.join(columns.names[:MOST_COLUMNS])}"
            found.append(told)
        if len(found) == MOST_OBJECTS:
            break
    return tuple(found)
