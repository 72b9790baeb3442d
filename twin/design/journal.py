"""Every evaluation on disk, so that a search that was cut off goes on where it stopped.

A file of lines of JSON: the digest of what is evaluated, then designs, rows and slopes, one line per call. Numbers are
written so that they are read back as they were. A last line that is cut short is dropped; evaluations that are on file
are not made again, and as the searches are deterministic they come to the same end.
"""

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from twin.design.problem import Evaluate, Evaluation, Problem
from twin.refusal import ConfigError
from twin.run_folder import EVALUATIONS

FILE = EVALUATIONS


class Journal:
    """The evaluations of one problem in a run's folder."""

    def __init__(self, folder: Path, about: str = "") -> None:
        """In `folder`, which exists; `about` is whatever else the evaluations depend on: configuration, versions."""
        self.path, self.about = folder / FILE, about

    def over(self, problem: Problem, evaluate: Evaluate) -> Evaluate:
        """The same rows and slopes, from the file where it has them; ConfigError when it is of another one."""
        known = self.known(problem)
        self._begin(problem)

        def recorded(designs: np.ndarray) -> Evaluation:
            key = _key(designs)
            if key not in known:
                known[key] = evaluate(designs)
                self._append({"designs": designs.tolist(), **{k: v.tolist() for k, v in known[key]._asdict().items()}})
            return known[key]

        return recorded

    def known(self, problem: Problem) -> dict[Any, Evaluation]:
        """Evaluations on file; ConfigError when it is damaged or of another problem. Nothing is written."""
        lines = self._whole_lines().splitlines()
        if not lines:
            return {}
        if self._read(1, lines[0], {"digest"})["digest"] != self._digest(problem):
            raise ConfigError(
                f"{self.path}: holds evaluations of another problem, or of other versions; "
                "remove it or choose another folder"
            )
        return dict(self._evaluation(number, line) for number, line in enumerate(lines[1:], 2))

    def _begin(self, problem: Problem) -> None:
        """Cut the file back to its whole lines, or begin it."""
        whole = self._whole_lines()
        self.path.touch()
        os.truncate(self.path, len(whole))
        if not whole:
            self._append({"digest": self._digest(problem)})

    def _whole_lines(self) -> bytes:
        text = self.path.read_bytes() if self.path.exists() else b""
        return text[: text.rfind(b"\n") + 1]

    def _digest(self, problem: Problem) -> str:
        text = json.dumps([asdict(problem), self.about], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _evaluation(self, number: int, line: bytes) -> tuple[Any, Evaluation]:
        entry = self._read(number, line, {"designs", *Evaluation._fields})
        try:
            designs, values, slopes = (np.array(entry[key], float) for key in ("designs", "values", "slopes"))
        except (TypeError, ValueError):
            raise self._damaged(number) from None
        if designs.ndim != 2 or values.ndim != 2 or slopes.shape != (*values.shape, designs.shape[1]):
            raise self._damaged(number)
        return _key(designs), Evaluation(values, slopes)

    def _read(self, number: int, line: bytes, keys: set[str]) -> dict[str, Any]:
        try:
            entry = json.loads(line)
        except ValueError:
            raise self._damaged(number) from None
        if not isinstance(entry, dict) or entry.keys() != keys:
            raise self._damaged(number)
        return entry

    def _damaged(self, number: int) -> ConfigError:
        return ConfigError(f"{self.path}: line {number} is damaged; remove the file to evaluate anew")

    def _append(self, entry: dict[str, Any]) -> None:
        with self.path.open("ab") as file:
            file.write(json.dumps(entry).encode() + b"\n")


def _key(designs: np.ndarray) -> tuple[tuple[int, ...], bytes]:
    return designs.shape, np.ascontiguousarray(designs, float).tobytes()
