"""Code run in the user's namespace: its value, its cost, the names it changed."""
