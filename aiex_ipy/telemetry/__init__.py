"""What aiex tells of its own work."""
