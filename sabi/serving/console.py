"""What was graded, on the terminal."""

from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sabi.report.colours import ink_on
from sabi.serving.grading import Survey
from sabi.words.texts import reasons, texts

MOST = 40  # lines: more scroll the worst, which come first, out of sight


def print_survey(survey: Survey, out: Path) -> None:
    """The worst photographs, what was not graded and why, and where the rest is to be read."""
    console, said = Console(), texts("en")
    table = Table(box=None, pad_edge=False)
    table.add_column("grade", justify="right")
    table.add_column("score", justify="right")
    table.add_column("may be")
    table.add_column("photograph", overflow="fold")
    for row in survey.graded.head(MOST).to_dict("records"):
        colour = survey.colours[row["grade"]]
        mark = Text(f" {row['grade']} ", style=f"bold {ink_on(colour)} on {colour}")
        several = row["low"] != row["high"]
        may_be = said["from_to"].format(**row) if several else ""
        name = Text(row["path"])
        if row["look"]:
            name.append(f"\n  {said['look_at']} {reasons(row['look'], said)}", style="dim")
        table.add_row(mark, f"{row['score']:.2f}", may_be, name)
    if len(survey.graded):
        console.print(table)
    if len(survey.graded) > MOST:
        console.print(f"... and {len(survey.graded) - MOST} better ones")
    for row in survey.rejected.to_dict("records"):
        console.print(Text(f"not graded: {row['path']}: {row['reason']}"), soft_wrap=True)
    for note in survey.notes:
        console.print(Text(f"note: {note}"), soft_wrap=True)
    if some := int((survey.graded["look"] != "").sum()):
        console.print(said["look_at_some"].format(count=some), soft_wrap=True)
    counts = survey.graded.grade.value_counts()
    told = ", ".join(f"{counts[name]} of grade {name}" for name in survey.colours if name in counts)
    console.print(
        Text(f"{len(survey.graded)} photographs graded" + (f": {told}" if told else "")), soft_wrap=True
    )
    if not survey.finished:
        console.print("interrupted: the same command goes on with the rest")
    console.print(
        Text(f"open {out / 'index.html'}, {out / 'grades.xlsx'} or {out / 'grades.csv'}"), soft_wrap=True
    )


def print_changes(compared: pd.DataFrame, notes: list[str]) -> None:
    """What became worse, how much else there is, and what cannot be compared."""
    console = Console()
    worse = compared[compared.change < 0]
    if len(worse):
        table = Table(box=None, pad_edge=False)
        for title in ("specimen", "worst before", "after", "score before", "after"):
            table.add_column(title, justify="left" if title == "specimen" else "right")
        for row in worse.to_dict("records"):
            scores = (f"{row['score_before']:.2f}", f"{row['score_after']:.2f}")
            table.add_row(Text(row["specimen"]), Text(row["before"]), Text(row["after"]), *scores)
        console.print(table)
    better = int((compared.change > 0).sum())
    same = len(compared) - len(worse) - better
    console.print(f"{len(worse)} specimens became worse, {better} better, {same} kept their worst grade")
    for note in notes:
        console.print(Text(f"note: {note}"), soft_wrap=True)
