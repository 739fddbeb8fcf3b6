"""Packages are hidden from imports in the block alone, and only if nobody has them already."""

import importlib
import sys

import pytest

from sabi.runtime.imports import without

PACKAGE = "wave"  # in every Python, and loaded by nothing here


@pytest.fixture(autouse=True)
def not_loaded(monkeypatch):
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)


def test_a_package_is_not_found_in_the_block_and_found_after_it():
    with without(PACKAGE), pytest.raises(ImportError):
        importlib.import_module(PACKAGE)
    assert PACKAGE not in sys.modules
    importlib.import_module(PACKAGE)


def test_a_package_that_is_loaded_already_stays():
    loaded = importlib.import_module(PACKAGE)
    with without(PACKAGE):
        assert importlib.import_module(PACKAGE) is loaded
    assert sys.modules[PACKAGE] is loaded


def test_after_an_error_nothing_stays_hidden():
    with pytest.raises(ZeroDivisionError), without(PACKAGE):
        raise ZeroDivisionError
    importlib.import_module(PACKAGE)
