"""From pixels to an embedding: networks without their top, what they compute kept in a store."""
