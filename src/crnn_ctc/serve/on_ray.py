"""The service on Ray Serve: ``serve run crnn_ctc.serve.on_ray:app``.

Each replica opens the models of ``CRNN_CTC_MODELS`` (names or files, separated by commas; by
default those of ``crnn-ctc serve``), and takes keys from the same environment variable as
``crnn-ctc serve``.
"""

from __future__ import annotations

import os

from fastapi import FastAPI
from ray import serve

from crnn_ctc.serve.app import make_app
from crnn_ctc.serve.keys import ENVIRONMENT, keys_of
from crnn_ctc.serve.limits import Limits
from crnn_ctc.serve.models import open_models
from crnn_ctc.serve.prometheus import ServiceMetrics
from crnn_ctc.serve.service import Service

MODELS = "CRNN_CTC_MODELS"


def replica() -> FastAPI:
    """Create the application of one replica.

    Raises:
        InputError: no such model.
    """
    names = [name for name in os.environ.get(MODELS, "plates-small,digits-rows").split(",") if name]
    limits, metrics = Limits(), ServiceMetrics()
    models = open_models(names, limits, metrics)
    return make_app(Service(models, limits, keys_of(None, os.environ.get(ENVIRONMENT)), metrics))


@serve.deployment(name="crnn-ctc", max_ongoing_requests=64, ray_actor_options={"num_cpus": 1})
@serve.ingress(replica)
class Replica:
    """A replica that answers like ``crnn-ctc serve``."""


app = Replica.bind()  # type: ignore[attr-defined]
