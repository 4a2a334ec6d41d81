"""Packages: seats for months, bought by quote of the account above; members; the term's end."""
