"""crnn-ctc serve: reading over HTTP, with a web page."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from crnn_ctc.cli.extras import needs
from crnn_ctc.cli.model_options import Device

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def serve(
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE",
            help="A shipped model or a model file; may be repeated, the first is the "
            "default. Without it: plates-small and digits-rows.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free one.")
    ] = 8000,
    api_key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File of API keys, one per line; CRNN_CTC_API_KEYS may hold more."
        ),
    ] = None,
    min_confidence: Annotated[
        float,
        typer.Option(
            metavar="P",
            help="Mark readings with a confidence below this, from 0 to 1, as not "
            "accepted, where a request sets no other.",
        ),
    ] = 0.0,
    decode: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Decoder: greedy, search or grammar (the default)."),
    ] = None,
    device: Device = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Inference threads of each model.")] = 1,
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures per inference batch.")] = 8,
    queue: Annotated[
        int,
        typer.Option(
            min=1, help="Pictures that may wait for a model; further requests get status 503."
        ),
    ] = 256,
    max_pictures: Annotated[
        int, typer.Option(min=1, help="Largest number of pictures in one request.")
    ] = 64,
    max_body: Annotated[
        float, typer.Option(metavar="MB", help="Largest request, in megabytes.")
    ] = 20,
    max_pixels: Annotated[
        float, typer.Option(metavar="MEGAPIXELS", help="Largest picture, in megapixels.")
    ] = 16,
    timeout: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="Seconds to receive a request, and again to read it."),
    ] = 10,
    access_log: Annotated[bool, typer.Option("--access-log", help="Log each request.")] = False,
) -> None:
    """Serve readings over HTTP: POST /v1/read, a page at /, the API's description at /docs.

    SIGTERM or Ctrl+C stops the service; accepted requests are answered first.
    """
    with needs("serve", "serving"):
        import python_multipart  # noqa: F401  FastAPI would report it missing only later

        from crnn_ctc.serve.app import make_app
        from crnn_ctc.serve.keys import ENVIRONMENT, keys_of
        from crnn_ctc.serve.limits import MEGA, Limits
        from crnn_ctc.serve.models import open_models
        from crnn_ctc.serve.prometheus import ServiceMetrics
        from crnn_ctc.serve.server import listen, run_server
        from crnn_ctc.serve.service import Service

    limits = Limits(
        body=int(max_body * MEGA),
        pixels=int(max_pixels * MEGA),
        pictures=max_pictures,
        queue=queue,
        batch=batch_size,
        seconds=timeout,
    )
    keys = keys_of(api_key_file, os.environ.get(ENVIRONMENT))
    metrics = ServiceMetrics()
    models = open_models(
        model or ["plates-small", "digits-rows"],
        limits,
        metrics,
        threads,
        device,
        min_confidence,
        decode,
    )
    listening = listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    print(
        f"{', '.join(models)} at http://{shown}:{listening.getsockname()[1]}/; Ctrl+C stops it",
        file=sys.stderr,
        flush=True,
    )
    if host not in LOOPBACK and not keys:
        print(
            "warning: whoever reaches this address can use it; give --api-key-file",
            file=sys.stderr,
        )
    run_server(make_app(Service(models, limits, keys, metrics)), listening, timeout, access_log)
