"""Execution: devices, memory, functions, variables."""
