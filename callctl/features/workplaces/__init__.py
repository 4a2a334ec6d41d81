"""The map of workstations: who sits where."""
