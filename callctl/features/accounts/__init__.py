"""The tree of accounts: an operator, its resellers, their enterprises."""
