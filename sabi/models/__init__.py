"""From an embedding to a score: heads, and members on disk."""
