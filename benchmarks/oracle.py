"""How near predictions come to the truth of a simulated log.

python -m benchmarks.oracle DIR PREDICTIONS

`DIR` is what `encore simulate music --format kkbox` wrote, `PREDICTIONS` what `encore evaluate
--predictions` wrote for it. Prints the ROC-AUC of both on the same rows, and the share of the
oracle's distance from chance that the predictions reach.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from sklearn.metrics import roc_auc_score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("predictions", type=Path)
    arguments = parser.parse_args()
    predictions = pd.read_csv(arguments.predictions).set_index("row_id")["probability"]
    oracle = pd.read_csv(arguments.directory / "oracle.csv").set_index("row_id")
    rows = predictions.index
    labels = pd.read_csv(arguments.directory / "train.csv")["target"].loc[rows]
    ours = float(roc_auc_score(labels, predictions))
    best = float(roc_auc_score(labels, oracle["true_probability"].loc[rows]))
    print(f"{len(rows)} rows: ROC-AUC {ours:.4f}, oracle {best:.4f}")
    print(f"(AUC - 0.5) / (oracle AUC - 0.5) = {(ours - 0.5) / (best - 0.5):.3f}")


if __name__ == "__main__":
    main()
