"""What is documented of code: found in its source without importing it, or read off objects."""
