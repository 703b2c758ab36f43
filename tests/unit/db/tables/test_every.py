"""Tables of different areas refer to each other, whatever a process has imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TABLES = Path(__file__).parents[4] / "db" / "tables"


def test_a_process_that_imports_one_area_understands_the_foreign_keys_to_others() -> None:
    code = "import db.session\nfrom db.tables.base import Base\nprint(len(Base.metadata.sorted_tables))"

    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == sum(file.read_text().count("__tablename__ =") for file in TABLES.glob("*.py"))
