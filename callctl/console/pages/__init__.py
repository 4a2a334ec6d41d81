"""One module a subject: its routes, and what its pages show."""
