"""Shared by all tests: one object cache for the whole run, and the switch that rewrites golden files."""

import os

import pytest


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="rewrite expected outputs for review")
    parser.addoption("--long", action="store_true", help="all samples of the conformance tests, not some of each")


@pytest.fixture
def update_golden(request):
    return request.config.getoption("--update-golden")


@pytest.fixture
def long(request):
    return request.config.getoption("--long")


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory):
    """Objects are compiled once for all workers; nothing is left in the user's own cache."""
    if "TORCHCC_CACHE_DIR" not in os.environ:
        root = tmp_path_factory.getbasetemp()
        shared = root.parent if os.environ.get("PYTEST_XDIST_WORKER") else root
        os.environ["TORCHCC_CACHE_DIR"] = str(shared / "torchcc-cache")
