"""Both languages say the same things."""

import string

from sabi.words.texts import texts


def names_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_each_text_is_there_in_both_languages_with_the_same_names():
    english, japanese = texts("en"), texts("ja")
    assert english.keys() == japanese.keys()
    for key, text in english.items():
        assert text and japanese[key]
        assert not hasattr(english, key), f"{key}: templates would take the dictionary's own"
        assert names_in(text) == names_in(japanese[key]), key
