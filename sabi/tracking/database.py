"""A new database for MLflow's records, there as a whole or not at all."""

import sqlite3
from contextlib import closing
from pathlib import Path


def make_database(file: Path) -> None:
    """Make MLflow's tables in `file` unless it holds something already; loads MLflow.

    MLflow makes them in dozens of steps. One that is killed between two of them, or finds the disk full,
    leaves a database that no later one can use. Only to be called by one process at a time.
    """
    if file.exists() and file.stat().st_size:
        return
    from mlflow import MlflowClient
    from sqlalchemy import URL

    partial = file.with_name(f"{file.name}.partial")
    for left in (partial, partial.with_name(f"{partial.name}-journal")):
        left.unlink(missing_ok=True)
    # MLflow would try for minutes to open what cannot be opened.
    with closing(sqlite3.connect(partial)) as connection:
        connection.execute("pragma schema_version")
    uri = URL.create("sqlite", database=str(partial)).render_as_string()
    MlflowClient(uri).search_experiments()
    partial.replace(file)
