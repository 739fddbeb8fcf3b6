"""How fast, and how good, every option is."""
