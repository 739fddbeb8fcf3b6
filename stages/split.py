"""Reads data/raw, decides what is used and in which partition: `python -m stages.split`."""

from pathlib import Path

from sabi.photographs.manifest import check_enough, doubts, split
from sabi.settings.params import Params
from sabi.stage import run
from sabi.tables import (
    INSPECTORS,
    MANIFEST,
    MEASUREMENTS,
    REJECTED,
    SUMMARY,
    write_graded,
    write_json,
    write_table,
)

RAW = Path("data/raw")


def main(params: Params) -> None:
    manifest, rejected, told, summary = split(RAW, params)
    write_graded(manifest, params.labels.rating, MANIFEST)
    write_table(rejected, REJECTED)
    write_graded(told["inspectors"], params.labels.rating, INSPECTORS)
    write_table(told["measurements"], MEASUREMENTS)
    write_json(summary, SUMMARY)
    counts = manifest.partition.value_counts().to_dict()
    named = len(manifest) - summary["without_specimen"]
    print(f"{len(manifest)} photographs used {counts}; of {named} the specimen is named")
    print(f"{len(rejected)} files not used" + (f": {REJECTED} says why" if len(rejected) else ""))
    for doubt in doubts(summary):
        print(f"NOTE: {doubt}")
    check_enough(manifest, rejected, summary, RAW, params)


if __name__ == "__main__":
    run(main)
