"""Live objects: what can be told of a value without running any of its code."""

from aiex_ipy.grounding.live.source import dotted_name, object_subject, source_name

__all__ = ["dotted_name", "object_subject", "source_name"]
