"""What a person should look at: shown, acknowledged, mailed (R001-16)."""
