"""What all tests share: Hypothesis without surprises, and golden files that can be rewritten."""

import difflib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# The first example compiles a kernel, so no deadline; the same examples in every run.
settings.register_profile("house", deadline=None, derandomize=True)
# The long form: fresh examples, and many of them (`make validate`).
settings.register_profile("validate", deadline=None, max_examples=2_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite golden files that differ; the commit must say why they changed",
    )


@pytest.fixture
def check_golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return `check(name, text)`: compare a text with `tests/golden/<name>`, or rewrite it."""
    is_update = bool(request.config.getoption("--update-golden"))

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        expected = path.read_text(encoding="utf-8") if path.exists() else ""
        if text == expected:
            return
        if is_update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        difference = difflib.unified_diff(
            expected.splitlines(), text.splitlines(), f"golden/{name}", "now", lineterm="", n=1
        )
        lines = [line for _, line in zip(range(60), difference, strict=False)]
        pytest.fail("\n".join(["run `make update-golden` if this is meant:", *lines]))

    return check
