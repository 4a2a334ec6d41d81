"""Money from outside: through a payment provider, or by an invoice (R002-11)."""
