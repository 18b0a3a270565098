"""The service, asked what its own OpenAPI document allows and what it does not (schemathesis)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings

from test_serve import serving

if find_spec("schemathesis") is None and os.environ.get("CRNN_CTC_REQUIRE_DATA") != "1":
    pytest.skip("schemathesis is not installed", allow_module_level=True)

import schemathesis
from schemathesis.checks import CHECKS

COUNT = int(os.environ.get("CRNN_CTC_FUZZ", "8"))
"""Requests of each kind to each address; thousands for a long run."""

NOT_OURS = {
    # a picture that is none, or of no kind that is read, is what an octet stream may well be
    "positive_data_acceptance",
    # addresses that only GET is documented for answer HEAD and OPTIONS too, or 405
    "unsupported_method",
}


@pytest.fixture(scope="module")
def api() -> Iterator[schemathesis.BaseSchema]:
    with serving() as (client, _):
        yield schemathesis.openapi.from_url(f"{client.base_url}/openapi.json")


schema = schemathesis.pytest.from_fixture("api")


@schema.parametrize()
@settings(
    max_examples=COUNT,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_what_the_document_says_is_so(case: schemathesis.Case) -> None:
    left_out = [check for check in CHECKS.get_all() if check.__name__ in NOT_OURS]
    case.call_and_validate(excluded_checks=left_out, timeout=30)
