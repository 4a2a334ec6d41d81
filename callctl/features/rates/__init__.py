"""What calls cost: tariffs, who pays by which, the cost of each call."""
