"""What went wrong: a failure captured from live frames, as a record that can leave the thread."""
