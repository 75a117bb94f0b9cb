"""What was made: saved pictures that carry their own parameters."""
