"""What each browser has sent, in memory; used by the server's one thread alone."""

from collections import OrderedDict
from dataclasses import dataclass, field

import pandas as pd

from sabi.report.pictures import MOST
from sabi.serving import tables
from sabi.serving.worker import Outcome

SURVEYS = 32  # in memory; the one that was not looked at for longest leaves


@dataclass
class Entry:
    """A photograph of a survey."""

    key: str  # of its name and content
    path: str  # as its sender names it, printable
    sha256: str
    hidden: bool  # its grade is not to be seen before the inspector's own
    changed: int  # the survey's count at its last change
    outcome: Outcome | None = None  # None: it waits
    own: str | None = None  # the inspector's grade


@dataclass
class Survey:
    """The photographs of one browser."""

    entries: dict[str, Entry] = field(default_factory=dict)
    count: int = 0  # of changes

    def touch(self, entry: Entry) -> None:
        """Note that an entry is another now."""
        self.count += 1
        entry.changed = self.count

    @property
    def waiting(self) -> int:
        """The number of photographs that are not graded yet."""
        return sum(entry.outcome is None for entry in self.entries.values())

    def since(self, count: int) -> list[Entry]:
        """What has been settled since the survey's count was `count`, in that order.

        All of it for a count that was never reached: that of another before, or of another server.
        """
        after = count if count <= self.count else 0
        settled = [e for e in self.entries.values() if e.outcome is not None and e.changed > after]
        return sorted(settled, key=lambda entry: entry.changed)

    def graded(self) -> tuple[pd.DataFrame, list[bytes]]:
        """The table of what may be seen, worst first, and the pictures of its rows."""
        seen = [entry.outcome for entry in self.entries.values() if entry.outcome and not entry.hidden]
        rows = [one.row | {"picture": one.picture} for one in seen if one.row is not None]
        table = tables.worst_first(pd.DataFrame(rows, columns=[*tables.COLUMNS, "picture"]))
        return table.drop(columns=["picture", "file"]), list(table.picture)


class Surveys:
    """The surveys by the key that each browser's cookie holds."""

    def __init__(self) -> None:
        self._by_key: OrderedDict[str, Survey] = OrderedDict()

    def get(self, key: str) -> Survey:
        """The browser's survey; an empty one, which is not kept, where it has none."""
        if key in self._by_key:
            self._by_key.move_to_end(key)
        return self._by_key.get(key, Survey())

    def begun(self, key: str) -> Survey | None:
        """The browser's survey, kept from now on; None where there is room for no other."""
        if key not in self._by_key and len(self._by_key) >= SURVEYS:
            idle = next((key for key, survey in self._by_key.items() if not survey.waiting), None)
            if idle is None:
                return None
            del self._by_key[idle]
        return self._by_key.setdefault(key, Survey())

    def drop(self, key: str) -> None:
        """Forget a browser's survey."""
        self._by_key.pop(key, None)


def full(survey: Survey) -> bool:
    """Whether a survey holds as many photographs as a page and a workbook can show."""
    return len(survey.entries) >= MOST
