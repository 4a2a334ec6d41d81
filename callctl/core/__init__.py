"""The pure core: decisions as functions on frozen values.

Standard library only. No await, no clock, no random, no logging, no I/O.
"""
