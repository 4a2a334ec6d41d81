"""How long the pages of the console take over millions of calls."""
