"""What people do to calls that go on: hang up, transfer, listen."""
