"""The how-to for providers of one's own does what it says."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-provider.md"


def test_the_provider_of_the_how_to_conforms():
    """Its fences, run in order as a reader would, end without an error."""
    fences = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    assert len(fences) == 2
    names: dict[str, object] = {"__name__": "reader"}
    exec(compile("\n".join(fences), str(PAGE), "exec"), names)
    assert names["Parrot"].kind == "parrot"
