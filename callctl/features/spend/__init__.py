"""How long calls may last for the money there is (docs/spend.md)."""
