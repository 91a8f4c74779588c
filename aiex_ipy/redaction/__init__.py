"""What must not leave the machine: the exact values of known secrets, masked by name."""

from aiex_ipy.redaction.masking import Redactor

__all__ = ["Redactor"]
