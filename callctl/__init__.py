"""callctl: a call centre that accounts for every call, beside Asterisk."""

__version__ = "0.1.0"
