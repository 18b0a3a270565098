"""The service, asked what its own OpenAPI document allows and what it does not (schemathesis)."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

from helpers.cli import command

if find_spec("schemathesis") is None and os.environ.get("CRNN_CTC_REQUIRE_DATA") != "1":
    pytest.skip("schemathesis is not installed", allow_module_level=True)

import schemathesis
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    positive_data_acceptance,
    unsupported_method,
)

COUNT = int(os.environ.get("CRNN_CTC_FUZZ", "8"))
"""Requests of each kind to each address; thousands for a long run."""

NOT_OURS = [
    # an octet stream need not be a picture
    positive_data_acceptance,
    # what answers GET answers HEAD too, which FastAPI does not document
    unsupported_method,
    # all requests have the right key, beside what schemathesis puts into Authorization
    ignored_auth,
]
KEY = {"X-API-Key": "correct-horse-battery"}


@pytest.fixture(autouse=True)
def smallest_floats() -> None:
    """What other tests loaded may have made the smallest floats 0, for which Hypothesis stops."""
    torch = pytest.importorskip("torch")
    torch.set_flush_denormal(False)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    # a process of its own: ONNX Runtime makes the smallest floats 0 where it is loaded, which
    # Hypothesis will not have
    started = subprocess.Popen(
        command("serve", "--model", "digits-tiny", "--port", 0),
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CRNN_CTC_API_KEYS": KEY["X-API-Key"]},
    )
    assert started.stderr is not None
    said = started.stderr.readline()
    yield re.findall(r"http://[0-9.:]+", said)[0]
    started.terminate()
    _, said = started.communicate(timeout=60)
    assert "Traceback" not in said
    assert started.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_what_the_document_says_is_so(url: str, mode: GenerationMode) -> None:
    asked: Counter[str] = Counter()
    for found in schemathesis.openapi.from_url(f"{url}/openapi.json").get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=COUNT,
            derandomize=COUNT < 100,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode))
        def answers_well(case: schemathesis.Case) -> None:
            asked[case.path] += 1
            case.call_and_validate(excluded_checks=NOT_OURS, headers=KEY, timeout=30)

        # an address without parameters cannot be asked wrongly
        with suppress(Unsatisfiable):
            answers_well()
    print(dict(asked))
    assert asked["/v1/read"] >= COUNT
