"""What happens, told while it happens: calls that go on, and the stream of events."""
