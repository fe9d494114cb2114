"""Run the Flink job over files in place of topics; for an interpreter that has PyFlink: flinkjob.py JOB DIRECTORY."""

from __future__ import annotations

import re
import sys
from pathlib import Path

TOPIC = re.compile(r"'connector' = 'kafka', 'topic' = '(\w+)'.*?(?='format')", re.DOTALL)
SETTING = re.compile(r"SET '([^']+)' = '([^']+)'")


def statements(job: str, directory: Path) -> list[str]:
    """Return the statements, with paths below a directory and files for topics."""
    job = re.sub(r"--.*", "", job)
    job = TOPIC.sub(rf"'connector' = 'filesystem', 'path' = 'file://{directory}/\1.jsonl', ", job)
    job = re.sub(r"file:///var/\w+", f"file://{directory}", job)
    tables, set_, inserts = job.partition("EXECUTE STATEMENT SET")
    return [*(part.strip() for part in tables.split(";")), f"{set_}{inserts}".strip().removesuffix(";")]


def main(job: Path, directory: Path) -> None:
    """Run the job to the end of its files."""
    from pyflink.table import EnvironmentSettings, TableEnvironment

    table = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    table.get_config().set("parallelism.default", "1")
    table.get_config().set("table.local-time-zone", "UTC")
    for statement in filter(None, statements(job.read_text(), directory)):
        setting = SETTING.fullmatch(statement)
        if setting is not None:
            table.get_config().set(setting[1], setting[2])
            continue
        result = table.execute_sql(statement)
        if statement.startswith("EXECUTE"):
            result.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
