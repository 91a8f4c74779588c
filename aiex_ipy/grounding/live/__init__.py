"""Live objects: what can be told of a value without running any of its code."""

from aiex_ipy.grounding.live.source import (
    MAX_SHOWN_CHARACTERS,
    dotted_name,
    object_subject,
    source_name,
)

__all__ = ["MAX_SHOWN_CHARACTERS", "dotted_name", "object_subject", "source_name"]
