"""What sabi says to people, by language."""
