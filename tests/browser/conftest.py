"""The same run as the tests of reports."""

from tests.report.conftest import run_folder

__all__ = ["run_folder"]
