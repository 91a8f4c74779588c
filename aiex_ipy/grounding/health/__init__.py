"""Whether a notebook still does what it shows: order, kernel memory, outputs, chance, places."""
