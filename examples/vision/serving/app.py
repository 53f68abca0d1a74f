"""The HTTP interface of a service: GET /healthz, POST /predict, GET /metrics."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import fastapi
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse

from serving import metrics
from serving.images import RejectedImageError, decode
from serving.models import FieldError, OutputError, Shelf
from serving.settings import read_settings
from serving.uploads import read_upload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from serving.models import Service
    from serving.settings import Settings
    from serving.uploads import Upload

PATHS = ("/healthz", "/predict", "/metrics")


def create_app(service: Service, settings: Settings | None = None) -> fastapi.FastAPI:
    """Make the application of a service.

    It starts without weights as well, and then says what is missing; they are looked for again with each request.

    Args:
        service: The service.
        settings: Its settings; those of the environment when none are given.

    Raises:
        SettingError: When the environment has a value that cannot be used.
    """
    chosen = settings or read_settings(os.environ)
    shelf = Shelf(service, chosen)
    counted = metrics.Metrics(service.name, chosen.backend)
    turns = asyncio.Semaphore(chosen.concurrency)

    @asynccontextmanager
    async def lifespan(_: fastapi.FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(shelf.load)
        yield

    # A gateway puts a part of the path away: a redirection to the path that is left would lead past this service.
    app = fastapi.FastAPI(title=service.name, lifespan=lifespan, redirect_slashes=False)

    _count_answers(app, counted)
    _tell_errors(app)

    @app.get("/healthz")
    def healthz() -> JSONResponse:
        """Say whether the networks are loaded, and if not, what is missing where."""
        shelf.load()
        told = {
            "service": service.name,
            "status": "ok" if shelf.is_loaded else "unavailable",
            "backend": chosen.backend,
            "loaded": shelf.is_loaded,
            "weights_dir": str(chosen.weights_dir),
            "models": shelf.report(),
        }
        return JSONResponse(told, 200 if shelf.is_loaded else 503)

    @app.post("/predict")
    async def predict(request: fastapi.Request) -> JSONResponse:
        """Find out what is in an image."""
        upload = await read_upload(request, max_bytes=chosen.max_image_bytes)
        await run_in_threadpool(shelf.load)
        if not shelf.is_loaded:
            return JSONResponse({"detail": " ".join(dict.fromkeys(shelf.problems.values()))}, 503)
        async with turns:
            return JSONResponse(await run_in_threadpool(work, upload))

    def work(upload: Upload) -> dict[str, Any]:
        started_s = time.monotonic()
        image = decode(upload.content, max_bytes=chosen.max_image_bytes, max_pixels=chosen.max_image_pixels)
        found = service.predict(image, shelf.models, upload.fields, chosen)
        seconds = time.monotonic() - started_s
        counted.observe(seconds)
        return {
            "service": service.name,
            "image": {"width": image.shape[1], "height": image.shape[0]},
            **found,
            "seconds": round(seconds, 6),
        }

    @app.get("/metrics")
    def count_up() -> PlainTextResponse:
        """Tell what was counted, for Prometheus."""
        return PlainTextResponse(counted.text(loaded=shelf.is_loaded), media_type=metrics.CONTENT_TYPE)

    return app


def _count_answers(app: fastapi.FastAPI, counted: metrics.Metrics) -> None:
    @app.middleware("http")
    async def count(
        request: fastapi.Request, answer: Callable[[fastapi.Request], Awaitable[fastapi.Response]]
    ) -> fastapi.Response:
        path = request.url.path if request.url.path in PATHS else "other"
        try:
            response = await answer(request)
        except Exception:
            counted.count_request(path, 500)
            raise
        counted.count_request(path, response.status_code)
        return response


def _tell_errors(app: fastapi.FastAPI) -> None:
    @app.exception_handler(RejectedImageError)
    def rejected(_: fastapi.Request, error: RejectedImageError) -> JSONResponse:
        return JSONResponse({"detail": error.message}, error.status)

    @app.exception_handler(FieldError)
    def wrong_field(_: fastapi.Request, error: FieldError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 400)

    @app.exception_handler(OutputError)
    def wrong_output(_: fastapi.Request, error: OutputError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 500)
