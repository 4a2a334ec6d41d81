"""Transfers: an account pays its direct superior, and a second person says so (R000-02 to 08)."""
