"""From files to upright, scaled, labelled pixels."""
