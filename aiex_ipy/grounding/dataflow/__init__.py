"""Which statements made what a name holds: cells run over abstract values, oldest first."""
