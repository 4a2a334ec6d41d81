"""Reading the log of changes; whoever makes one writes it (`callctl.db.audit`)."""
