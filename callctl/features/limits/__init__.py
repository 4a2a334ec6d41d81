"""Counting calls to the outside, holding them for approval, telling of it (docs/routing.md)."""
