"""Who may come in: users with passwords, their sessions, tokens for machines."""
