"""A diagnosis of a failure from facts alone: rules over live frames, no model."""
