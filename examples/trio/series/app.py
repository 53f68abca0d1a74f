"""Continues a row of numbers by what torch learns of it."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
import torch
from fastapi import FastAPI
from pydantic import BaseModel, Field

app = FastAPI()


class Row(BaseModel):
    """A row of numbers, and how many more are wanted."""

    numbers: Annotated[list[float], Field(min_length=8, max_length=10_000)]
    ahead: Annotated[int, Field(ge=1, le=100)] = 3
    order: Annotated[int, Field(ge=1, le=24)] = 3


@app.get("/healthz")
def healthz() -> dict[str, str]:
    """Answer as long as the service does."""
    return {"status": "ok", "torch": torch.__version__}


@app.post("/continue")
def go_on(row: Row) -> dict[str, object]:
    """Say which numbers come next, and what the row is like."""
    values = torch.tensor(row.numbers, dtype=torch.float64)
    order = min(row.order, len(row.numbers) // 2)
    windows = values.unfold(0, order, 1)[:-1]
    inputs = torch.cat([windows, torch.ones(len(windows), 1, dtype=torch.float64)], dim=1)
    weights = torch.linalg.lstsq(inputs, values[order:, None], driver="gelsd").solution[:, 0]
    found = row.numbers[-order:]
    for _ in range(row.ahead):
        last = torch.tensor([*found[-order:], 1.0], dtype=torch.float64)
        found.append(float(last @ weights))
    return {"next": found[order:], "described": pd.Series(row.numbers).describe().to_dict()}
