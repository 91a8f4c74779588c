"""The only door to user files: finds, checks, reads and decodes them, and lists trees."""

from aiex_ipy.workspace.door import Located, SourceFile, Tree, Workspace

__all__ = ["Located", "SourceFile", "Tree", "Workspace"]
