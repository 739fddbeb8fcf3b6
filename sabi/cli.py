"""Every command: `sabi --help`.

`python -m sabi.cli` is the same, by the code of the folder it is typed in. What a
command does lies in a plain function of another module. That is imported when the
command runs, after this process is pinned, so that asking for help is quick.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from sabi.runtime.interruption import INTERRUPTED, quick_end

with quick_end("interrupted"):
    from sabi.runtime.determinism import pin_environment

    pin_environment()

    import typer

    from sabi.runtime.errors import InputError, NoSpace, lacks_space
    from sabi.words.texts import Language

# How a table of any number of photographs is made: by this process alone, or by those of a Ray cluster.
Engine = Literal["process", "ray"]
SHARD = 256  # photographs that it grades together unless told otherwise

app = typer.Typer(
    help="Grades rust on weathering steel from photographs.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def before() -> None:
    """What every command does first."""
    from sabi.runtime.repository import mend_dvc

    for line in mend_dvc():
        print(f"note: {line}", file=sys.stderr)


@app.command()
def data() -> None:
    """Draw the sample photographs if there is no data/raw."""
    from sabi.photographs.drawings import draw_sample

    draw_sample(Path("data/raw"), Path("data/unlabelled"))


@app.command()
def weights(
    networks: Annotated[
        list[str] | None, typer.Argument(metavar="NETWORKS...", help="efficientnet_lite0, _lite1, _lite2")
    ] = None,
    measure: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="measure what they give on graded photographs; docs/results/weights.md"
        ),
    ] = None,
) -> None:
    """Fetch weights that were trained on photographs."""
    if measure is not None:
        from sabi.bench.trained_weights import measure_all
        from sabi.settings.loading import load

        return measure_all(measure, load())
    from sabi.runtime.repository import repository_root
    from sabi.weights.fetching import experiment, make_weights, track

    names, folder = networks or ["efficientnet_lite0"], repository_root() / "weights"
    for file in make_weights(names, folder):
        print(f"made: {file.name}")
    if track(folder):
        print("DVC tracks weights/: commit weights.dvc, and `dvc push` sends them to your team")
    print(f"train with them: {experiment(names)}")


@app.command()
def precheck() -> None:
    """Name all that `dvc repro` would stop at."""
    from sabi.precheck import errors, notes

    for line in notes():
        print(f"note: {line}", file=sys.stderr)
    if lines := errors():
        print_errors(lines)
        raise typer.Exit(1)


@app.command()
def grade(  # noqa: PLR0913  a command has as many as it has options
    photographs: Annotated[
        list[str], typer.Argument(metavar="PHOTOS...", help="files, folders, or patterns in quotes")
    ],
    out: Annotated[Path, typer.Option(help="a new folder for tables and pages")],
    model: Annotated[
        str, typer.Option(help="the folder of a model, or models:/sabi@champion")
    ] = "data/model",
    language: Annotated[Language, typer.Option(help="of the page and the workbook")] = "en",
    sort: Annotated[bool, typer.Option("--sort", help="copy each into score<grade>")] = False,
    why: Annotated[bool, typer.Option("--why", help="show what pulls each score down")] = False,
    tiles: Annotated[bool, typer.Option("--tiles", help="show grades over each photograph")] = False,
    window: Annotated[
        int | None, typer.Option(min=1, help="side of a tile in pixels; needed where scales are unknown")
    ] = None,
    engine: Annotated[
        Engine | None,
        typer.Option(help="write one table of any number of photographs, by this process or by Ray's"),
    ] = None,
    address: Annotated[str | None, typer.Option(help="of a Ray cluster; none: one of this machine")] = None,
    shard: Annotated[
        int | None, typer.Option(min=1, help=f"photographs that an engine grades together; {SHARD}")
    ] = None,
) -> None:
    """Grade any photographs into a new folder.

    With an engine PHOTOS may also be addresses (s3://bucket/folder) and @LIST, a file of lines.
    Exit status: 0 all are graded, 1 some files are not, 2 none is.
    """
    if (address is not None and engine != "ray") or (shard is not None and engine is None):
        print_errors(["--address goes with --engine ray, --shard with any --engine"])
        raise typer.Exit(2)
    if engine is not None:
        if sort or why or tiles or window or language != "en":
            print_errors(["--sort, --why, --tiles, --window and --language are for pages: not with --engine"])
            raise typer.Exit(2)
        raise typer.Exit(_grade_into_table(out, photographs, model, engine, shard or SHARD, address))
    from sabi.serving.closer import Look
    from sabi.serving.console import print_survey
    from sabi.serving.grading import grade_into

    try:
        look = Look(why, tiles or window is not None, window)
        survey = grade_into(out, photographs, folder_of(model), language, sort, look)
    except InputError as error:
        print_errors([str(error)])
        raise typer.Exit(2) from None
    print_survey(survey, out)
    if not survey.finished:
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(graded_status(len(survey.graded), len(survey.rejected)))


def graded_status(graded: int, rejected: int) -> int:
    """The exit status of `grade`: 0 all are graded, 1 some are not, 2 none is."""
    return int(rejected > 0) if graded else 2


def _grade_into_table(
    out: Path, photographs: list[str], model: str, engine: Engine, shard: int, address: str | None
) -> int:
    """Grade into one table, say what was done; the exit status."""
    from sabi.cluster.survey import TABLE, grade_into_table
    from sabi.grading.model import identity
    from sabi.tracking.surveys import record_survey

    try:
        with interrupted("the same command goes on with the rest"):
            folder = folder_of(model)
            counted = grade_into_table(out, photographs, folder, shard, engine == "ray", address)
    except InputError as error:
        print_errors([str(error)])
        return 2
    print(", ".join(f"{count} of grade {name}" for name, count in counted.grades.items()) or "none graded")
    print(f"{counted.rejected} could not be graded; the table: {out / TABLE}")
    if counted.shards:
        try:
            record_survey(identity(folder), counted.measured())
        except InputError as error:  # the table is whole all the same
            print(f"note: not recorded: {error}", file=sys.stderr)
    return graded_status(sum(counted.grades.values()), counted.rejected)


@app.command("next")
def next_labels(
    count: Annotated[int, typer.Argument(metavar="N", min=1, help="how many")],
    photographs: Annotated[
        list[str] | None,
        typer.Argument(metavar="PHOTOS...", help="files, folders, or patterns in quotes; data/unlabelled"),
    ] = None,
    out: Annotated[Path, typer.Option(help="a new folder for the list and a page")] = Path("next"),
    model: Annotated[
        str, typer.Option(help="the folder of a model, or models:/sabi@champion")
    ] = "data/model",
    language: Annotated[Language, typer.Option(help="of the page")] = "en",
    measure: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="measure what N labels so chosen teach, on graded photographs; docs/results/next-labels.md",
        ),
    ] = None,
) -> None:
    """Choose the photographs that an inspector should grade next."""
    if measure:
        if photographs:
            raise InputError("with --measure give its DIR and N alone, no PHOTOS")
        from sabi.bench.next_labels import measure_all
        from sabi.settings.loading import load

        return measure_all(measure, count, load())
    from sabi.serving.next_labels import choose_into

    table = choose_into(out, count, photographs or ["data/unlabelled"], folder_of(model), language)
    for place, file in enumerate(table.file, start=1):
        print(f"{place}. {file}")
    print(f"open {out / 'index.html'}, and write grades into {out / 'labels.csv'}")


@app.command()
def serve(
    model: Annotated[
        str, typer.Option(help="the folder of a model, or models:/sabi@champion")
    ] = "data/model",
    host: Annotated[str, typer.Option(help="0.0.0.0 for the whole office")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free")] = 8000,
    keep: Annotated[Path | None, typer.Option(metavar="DIR", help="keep graded photographs there")] = None,
) -> None:
    """Serve a page that grades photographs, until Ctrl-C."""
    from sabi.serving.serve import serve

    serve(folder_of(model), host, port, keep)


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="a new folder")],
    model: Annotated[Path, typer.Option(help="the folder of a model")] = Path("data/model"),
) -> None:
    """Write a model that grades without the repository."""
    from sabi.grading.export import export

    export(model, out)
    print(f"exported: sabi grade PHOTOS... --model {out} --out DIR")


@app.command()
def register(
    alias: Annotated[
        str | None, typer.Option(help="a name that then means this version, e.g. champion")
    ] = None,
) -> None:
    """Add the model of this commit to MLflow's registry."""
    from sabi.tracking.registry import register

    print(f"registered: {register(Path('data/model'), alias)}")


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="a folder that `sabi grade` wrote")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="a later one")],
) -> None:
    """Say what became worse between two surveys."""
    from sabi.serving.changes import changes
    from sabi.serving.console import print_changes

    print_changes(*changes(old, new))


@app.command()
def compare(
    commit: Annotated[str, typer.Argument(metavar="COMMIT", help="whose experiments")] = "HEAD",
) -> None:
    """Compare the experiments of a commit: comparison.md, .csv, .png."""
    from sabi.review.compare import compare

    compare(commit)


@app.command()
def gate(
    base: Annotated[str, typer.Argument(metavar="BASE", help="the revision to compare with, e.g. main")],
) -> None:
    """Judge HEAD against BASE by the gate's rules; writes gate.md.

    Exit status: 0 no rule is broken, 1 one is, 2 it cannot be judged.
    """
    from sabi.review.gate import gate

    raise typer.Exit(gate(base))


@app.command()
def verify() -> None:
    """Run the commit again in a fresh clone; fail if a byte differs."""
    from sabi.review.verify import verify

    verify()


@app.command()
def lock() -> None:
    """Say what in dvc.lock does not belong to the files beside it."""
    from sabi.review.lock import out_of_step

    if lines := out_of_step():
        print_errors(lines)
        sys.exit("dvc.lock is out of step: run `dvc repro`, then commit dvc.lock with the rest")


@app.command()
def survey() -> None:
    """Measure every option on the sample (an hour or two)."""
    from sabi.bench.survey import survey

    with interrupted("`sabi survey` goes on with what is not recorded"):
        survey()


@app.command()
def bench(
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="PART", help="measure this part alone; may be given several times"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="try the benchmark: few photographs, no record")
    ] = False,
) -> None:
    """Measure the pipeline beside the wiki's method (40 minutes)."""
    from sabi.bench.cases import USUAL, measure

    with interrupted("`sabi bench --only …` measures the parts that are missing"):
        measure(only or USUAL, quick)


@app.command(hidden=True)
def throughput(side: int, rounds: int, file: Path) -> None:
    """A part of the benchmark that needs a process of its own."""
    from sabi.bench.throughput import measure

    measure(side, rounds, file)


def folder_of(model: str) -> Path:
    """The folder of a model that is given by its path or its address in MLflow's registry."""
    if not model.startswith("models:/"):
        return Path(model)
    from sabi.tracking.registry import fetch

    return fetch(model)


def print_errors(lines: list[str]) -> None:
    for line in lines:
        print(f"error: {line}", file=sys.stderr)


@contextmanager
def interrupted(goes_on: str) -> Iterator[None]:
    """In the block, Ctrl-C ends with a line that says how the work goes on."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"interrupted: {goes_on}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None


def main() -> None:
    """Run the command of `sys.argv` and exit: with 1 and one line for an `InputError`, 130 for Ctrl-C."""
    try:
        app(prog_name="sabi")
    except InputError as error:
        sys.exit(f"error: {error}")
    except Exception as error:
        if lacks_space(error):
            sys.exit(f"error: {NoSpace(Path(), None)}")
        raise


if __name__ == "__main__":
    main()
