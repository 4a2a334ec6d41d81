"""The store: lists and searches over millions of calls, and what storing them costs."""
