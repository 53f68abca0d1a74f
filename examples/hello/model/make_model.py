"""Trains a small network to tell two interleaved half moons apart, and writes it as an ONNX file."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from onnx_bytes import model

HIDDEN = 16
STEPS = 4000
RATE = 0.5


def moons(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points on two noisy half circles, and to which of them each belongs."""
    random = np.random.default_rng(7)
    angle = random.uniform(0, np.pi, count)
    label = random.integers(0, 2, count)
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points[label == 1] = np.array([1.0, 0.5]) - points[label == 1]
    return points + random.normal(0, 0.1, points.shape), label


def train(points: np.ndarray, label: np.ndarray) -> dict[str, np.ndarray]:
    """Fit the weights by gradient descent on the cross-entropy."""
    random = np.random.default_rng(11)
    w1, b1 = random.normal(0, 1, (2, HIDDEN)), np.zeros(HIDDEN)
    w2, b2 = random.normal(0, 1, (HIDDEN, 2)), np.zeros(2)
    wanted = np.eye(2)[label]
    for _ in range(STEPS):
        hidden = np.tanh(points @ w1 + b1)
        scores = hidden @ w2 + b2
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        off = (odds / odds.sum(axis=1, keepdims=True) - wanted) / len(points)
        back = (off @ w2.T) * (1 - hidden**2)
        w2, b2 = w2 - RATE * hidden.T @ off, b2 - RATE * off.sum(axis=0)
        w1, b1 = w1 - RATE * points.T @ back, b1 - RATE * back.sum(axis=0)
    return {"w1": w1, "b1": b1, "w2": w2, "b2": b2}


def main(target: str) -> None:
    """Train and write."""
    nodes = [
        ("MatMul", ["points", "w1"], "m1"),
        ("Add", ["m1", "b1"], "a1"),
        ("Tanh", ["a1"], "hidden"),
        ("MatMul", ["hidden", "w2"], "m2"),
        ("Add", ["m2", "b2"], "scores"),
        ("Softmax", ["scores"], "odds"),
    ]
    weights = train(*moons(400))
    Path(target).write_bytes(model(nodes, weights, given=("points", 2), result=("odds", 2)))


if __name__ == "__main__":
    main(sys.argv[1])
