"""Names of nested values."""

from sabi.tables import flat


def test_nested_values_have_dotted_names():
    nested = {"a": {"b": 1, "c": {"d": [2]}}, "e": None, "f": {}}
    assert list(flat(nested)) == [("a.b", 1), ("a.c.d", [2]), ("e", None)]
