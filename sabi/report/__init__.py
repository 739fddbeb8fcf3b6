"""The page for an inspector."""
