"""An account's own wallet: its statement, money issued downwards, and the proof of it all."""
