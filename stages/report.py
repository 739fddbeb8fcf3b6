"""One page for an inspector, one record in MLflow: `python -m stages.report`."""

from pathlib import Path

from sabi.grading.folder import strangers
from sabi.grading.model import ModelSpec
from sabi.models.member import MemberSpec
from sabi.report.console import print_summary
from sabi.report.notes import few_specimens, never_given, what_to_note, what_was_left_out, without_limits
from sabi.report.page import render
from sabi.settings.params import Params
from sabi.stage import run
from sabi.tables import MANIFEST, MODEL, REJECTED, SUMMARY, TRAINED, read_json, read_table
from sabi.tracking.results import record_result
from sabi.tracking.trainings import embeddings_reused
from sabi.tracking.values import comparable

PAGE = Path("report.html")
SORTED = Path("data/grades/unlabelled")


def main(params: Params) -> None:
    metrics = {"ensemble": read_json("metrics/ensemble.json"), **read_json("metrics/members.json")}
    intervals = read_json("data/evaluate/intervals.json")
    summary = read_json(SUMMARY)
    graded = read_table("data/grades/unlabelled.csv")
    files = [SORTED / f"score{grade}" / path for grade, path in zip(graded.grade, graded.path, strict=True)]
    rating = params.labels.rating
    notes = what_to_note(params, summary) + strangers(files, summary)
    notes += few_specimens(metrics["ensemble"]["counts"], rating)
    model = ModelSpec.read(MODEL)
    notes += without_limits(model.doubt)
    notes += never_given(model.thresholds, rating) if model.correction is None else []
    PAGE.write_text(render(params, metrics, intervals, summary, notes), encoding="utf-8")

    results = [MANIFEST, REJECTED, Path("data/grades/grades.csv"), Path("data/grades/unlabelled.csv")]
    results += [Path("metrics/ensemble.json"), Path("metrics/members.json")]
    models = {member: MemberSpec.read(TRAINED / member) for member in params.ensemble.members}
    trained = {member: model.key for member, model in models.items()}
    compared = comparable(metrics, intervals, [model.parameters for model in models.values()])
    added = record_result(params, results, compared, trained, [PAGE])
    print_summary(metrics, intervals, summary)
    unlabelled_rejected = read_table("data/grades/unlabelled_rejected.csv")
    for note in [*notes, *what_was_left_out(summary["rejected"], len(unlabelled_rejected))]:
        print(f"note: {note}")
    reused = embeddings_reused(trained.values())
    if reused:
        print("embeddings: {} of {} reused from the store".format(*reused))
    print("recorded in MLflow" if added else "this result is in MLflow already")
    print(f"report: {PAGE}")


if __name__ == "__main__":
    run(main)
