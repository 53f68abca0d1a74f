"""Tells for each point to which of two half moons it belongs, and lets the stats service describe the answers."""

from __future__ import annotations

import json
import os
import urllib.request
from typing import Annotated, Any

import numpy as np
import onnxruntime
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

STATS_URL = os.environ.get("STATS_URL", "http://stats:8001")

app = FastAPI(title="model")
session = onnxruntime.InferenceSession("moons.onnx", providers=["CPUExecutionProvider"])


class Points(BaseModel):
    """Points in the plane."""

    points: Annotated[list[tuple[float, float]], Field(min_length=1)]


class Answer(BaseModel):
    """Probability of the lower moon for each point, and what the stats service says about these."""

    lower: list[float]
    summary: dict[str, Any]


@app.get("/healthz")
def healthz() -> dict[str, str]:
    """Say that the network can be run."""
    session.run(["odds"], {"points": np.zeros((1, 2), dtype=np.float32)})
    return {"status": "ok"}


@app.post("/classify")
def classify(points: Points) -> Answer:
    """Run the network."""
    [odds] = session.run(["odds"], {"points": np.asarray(points.points, dtype=np.float32)})
    lower = odds[:, 1].astype(float).tolist()
    request = urllib.request.Request(  # noqa: S310 - the address is this service's own configuration
        f"{STATS_URL}/describe",
        data=json.dumps({"columns": {"lower": lower}}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310 - as above
            summary = json.load(reply)
    except OSError as error:
        raise HTTPException(502, f"The stats service did not answer: {error}") from error
    return Answer(lower=lower, summary=summary["columns"]["lower"])
