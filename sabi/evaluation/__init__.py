"""How good the grades are."""
