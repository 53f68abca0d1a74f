"""Tells how sharp an image is, and which colours it has most of."""

from __future__ import annotations

from typing import Annotated, Any

import cv2
import numpy as np
import torch
from fastapi import FastAPI, File, HTTPException, UploadFile  # noqa: TC002 - FastAPI reads it
from torchvision.transforms.functional import resize

LARGEST_BYTES = 20_000_000
MOST_COLOURS = 16
SIDE = 64
STEPS = 12

app = FastAPI()


@app.get("/healthz")
def healthz() -> dict[str, str]:
    """Answer as long as the service does."""
    return {"status": "ok", "torch": torch.__version__}


@app.post("/describe")
def describe(image: Annotated[UploadFile, File()], colours: int = 3) -> dict[str, Any]:
    """Describe one image."""
    content = image.file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise HTTPException(413, f"an image has at most {LARGEST_BYTES} bytes")
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    if pixels is None or not 1 <= colours <= MOST_COLOURS:
        raise HTTPException(422, f"an image in a usual format is needed, and 1 to {MOST_COLOURS} colours")
    sharpness = cv2.Laplacian(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), cv2.CV_64F).var()
    small = resize(torch.from_numpy(pixels[..., ::-1].copy()).permute(2, 0, 1), [SIDE, SIDE], antialias=True)
    centres, shares = clusters(small.reshape(3, -1).T.float(), colours)
    found = [
        {"colour": "#{:02x}{:02x}{:02x}".format(*(int(part) for part in centre)), "share": round(float(share), 3)}
        for centre, share in zip(centres, shares, strict=True)
    ]
    return {"width": pixels.shape[1], "height": pixels.shape[0], "sharpness": float(sharpness), "colours": found}


def clusters(points: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the middle of each cluster of points, and the share of points in it, the largest first."""
    order = points.sum(dim=1).argsort()
    centres = points[order[torch.linspace(0, len(points) - 1, count).long()]]
    nearest = torch.zeros(len(points), dtype=torch.long)
    for _ in range(STEPS):
        nearest = torch.cdist(points, centres).argmin(dim=1)
        for index in nearest.unique():
            centres[index] = points[nearest == index].mean(dim=0)
    shares = torch.bincount(nearest, minlength=count) / len(points)
    largest = shares.argsort(descending=True)
    return centres[largest], shares[largest]
