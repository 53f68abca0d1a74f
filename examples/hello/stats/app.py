"""Describes columns of numbers: count, mean, deviation, quartiles and how they are correlated."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

app = FastAPI(title="stats")


class Table(BaseModel):
    """Columns of equal length by name."""

    columns: dict[str, list[float]]


@app.get("/healthz")
def healthz() -> dict[str, str]:
    """Say that the service answers."""
    return {"status": "ok"}


@app.post("/describe")
def describe(table: Table) -> dict[str, Any]:
    """Describe each column, and the correlation of each pair."""
    try:
        frame = pd.DataFrame(table.columns)
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    if frame.empty:
        raise HTTPException(422, "The table has no values.")
    # Through JSON, because a deviation of one value is no number, and null there.
    return {"columns": json.loads(frame.describe().to_json()), "correlation": json.loads(frame.corr().to_json())}
