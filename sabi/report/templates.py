"""The templates of pages, with the style and the parts that they share."""

from pathlib import Path

import jinja2

HERE = Path(__file__).parent


def template(file: Path) -> jinja2.Template:
    """A page's template, names from files escaped; it may include what lies beside this module."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([file.parent, HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(file.name)
