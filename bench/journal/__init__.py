"""The journal: how fast rows become records, from a file and in the live reader."""
