"""Solves systems of linear equations and says how far the solution can be trusted."""

from __future__ import annotations

import numpy as np
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from scipy import linalg

app = FastAPI(title="matrix")


class Equations(BaseModel):
    """A square matrix, and the right side."""

    matrix: list[list[float]]
    right: list[float]


class Solution(BaseModel):
    """The solution, the residual that remains, and the condition of the matrix."""

    solution: list[float]
    residual: float
    condition: float


@app.get("/healthz")
def healthz() -> dict[str, str]:
    """Say that the service answers."""
    return {"status": "ok"}


@app.post("/solve")
def solve(equations: Equations) -> Solution:
    """Solve by LU decomposition."""
    try:
        matrix = np.asarray(equations.matrix, dtype=float)
        right = np.asarray(equations.right, dtype=float)
        solution = linalg.lu_solve(linalg.lu_factor(matrix, check_finite=True), right)
    except (ValueError, linalg.LinAlgError) as error:
        raise HTTPException(422, str(error)) from error
    if not np.isfinite(solution).all():
        raise HTTPException(422, "The matrix is singular.")
    return Solution(
        solution=solution.tolist(),
        residual=float(np.linalg.norm(matrix @ solution - right)),
        condition=float(np.linalg.cond(matrix)),
    )
