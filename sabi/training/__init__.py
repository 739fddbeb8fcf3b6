"""How a member learns."""
