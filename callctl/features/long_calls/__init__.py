"""Calls that last too long: noticed while they last, marked in the history (R001-15, R001-16)."""
