"""Whether phones and trunks can be reached."""
