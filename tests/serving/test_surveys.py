"""What browsers have sent stays theirs, and in bounds."""

from sabi.serving import surveys
from sabi.serving.surveys import Entry, Surveys
from sabi.serving.worker import Outcome


def test_the_one_that_was_not_looked_at_for_longest_leaves_unless_it_waits(monkeypatch):
    monkeypatch.setattr(surveys, "SURVEYS", 2)
    kept = Surveys()
    one, two = kept.begun("one"), kept.begun("two")
    one.entries["a"] = Entry("a", "a.jpg", "", False, 0, Outcome(reason="no photograph"))
    two.entries["a"] = Entry("a", "a.jpg", "", False, 0)  # it waits
    assert kept.begun("three") is not None
    assert kept.get("one").entries == {} and kept.get("two") is two
    kept.get("three").entries["a"] = Entry("a", "a.jpg", "", False, 0)
    assert kept.begun("four") is None and kept.begun("two") is two
    kept.drop("two")
    assert kept.begun("four") is not None


def test_a_browser_that_counts_from_an_earlier_survey_is_told_all():
    survey = Surveys().begun("one")
    entry = survey.entries["a"] = Entry("a", "a.jpg", "", False, 0, Outcome(reason="no photograph"))
    survey.touch(entry)
    assert survey.since(0) == survey.since(7) == [entry] and survey.since(1) == []


def test_to_look_begins_none():
    kept = Surveys()
    kept.get("one").entries["a"] = Entry("a", "a.jpg", "", False, 0)
    assert kept.get("one").entries == {}
