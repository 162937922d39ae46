"""A stand-in for a fitted score: reconstruction by principal components, Mahalanobis distance."""

import numpy as np


class Mahalanobis:
    def __init__(self, reference, kept=None):
        self.mean = reference.mean(axis=0)
        covariance = np.cov(reference.T) + 1e-3 * np.eye(reference.shape[1])
        self.inverse = np.linalg.inv(covariance)
        _, vectors = np.linalg.eigh(covariance)
        axes = vectors[:, -(kept or max(1, reference.shape[1] // 2)) :]
        self.projector = axes @ axes.T

    def score(self, matrix, copies_of=None):
        away = np.asarray(matrix, dtype=np.float64) - self.mean
        return (away @ self.inverse * away).sum(axis=1)

    def reconstruct(self, matrix):
        return ((matrix - self.mean) @ self.projector + self.mean).astype(np.float32)


def correlated(rows, columns=6, seed=0):
    """Rows near a plane of two dimensions, standardised."""
    rng = np.random.default_rng(seed)
    angles = np.pi * np.arange(columns) / columns
    matrix = rng.normal(size=(rows, 2)) @ np.stack([np.cos(angles), np.sin(angles)])
    matrix += 0.15 * rng.normal(size=(rows, columns))
    return (matrix / np.sqrt(1 + 0.15**2)).astype(np.float32)


def with_faults(matrix, faults, size=3.0, seed=0):
    """Copies of the rows with so many cells shifted, and which."""
    rng = np.random.default_rng(seed)
    rows, wrong = matrix.copy(), np.zeros(matrix.shape, dtype=bool)
    for row, bad in zip(rows, wrong, strict=True):
        chosen = rng.choice(len(row), faults, replace=False)
        row[chosen] += np.float32(size) * rng.choice(np.float32([-1, 1]), faults)
        bad[chosen] = True
    return rows, wrong
