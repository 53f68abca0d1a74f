"""Finds which of several texts are about the same."""

from __future__ import annotations

from typing import Annotated

import torch
from fastapi import FastAPI
from pydantic import BaseModel, Field
from sklearn.feature_extraction.text import TfidfVectorizer
from tokenizers.pre_tokenizers import BertPreTokenizer

app = FastAPI()
splitting = BertPreTokenizer()


class Texts(BaseModel):
    """Texts to compare, and how many directions of meaning are kept."""

    texts: Annotated[list[Annotated[str, Field(max_length=100_000)]], Field(min_length=2, max_length=500)]
    directions: Annotated[int, Field(ge=1, le=64)] = 8


@app.get("/healthz")
def healthz() -> dict[str, str]:
    """Answer as long as the service does."""
    return {"status": "ok", "torch": torch.__version__}


@app.post("/compare")
def compare(asked: Texts) -> dict[str, object]:
    """Return for each text the one that is most like it, and how like they are."""
    counted = TfidfVectorizer(tokenizer=words, token_pattern=None, lowercase=True)
    matrix = torch.from_numpy(counted.fit_transform(asked.texts).toarray())
    left, sizes, _ = torch.linalg.svd(matrix, full_matrices=False)
    kept = min(asked.directions, len(sizes))
    placed = torch.nn.functional.normalize(left[:, :kept] * sizes[:kept], dim=1)
    alike = placed @ placed.T
    alike.fill_diagonal_(-1)
    best = alike.max(dim=1)
    return {"nearest": best.indices.tolist(), "likeness": [round(each, 4) for each in best.values.tolist()]}


def words(text: str) -> list[str]:
    """Split a text at blanks and marks."""
    return [word for word, _ in splitting.pre_tokenize_str(text)]
