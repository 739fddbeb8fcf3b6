"""One commit against another."""
