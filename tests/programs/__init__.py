"""Failing programs, run for real, and what a capture of each must hold."""
