"""Command `crossprem doctor`."""

from __future__ import annotations

from simulator.base.errors import ExitCode
from simulator.commands.options import AsJson, examples, to_json, write

EPILOG = examples("crossprem doctor", "crossprem doctor --json")


def command(as_json: AsJson = False) -> int:
    """Check the installation: packages, compiler, cache folder, fonts, disk."""
    from dataclasses import asdict

    from simulator import doctor
    from simulator.console import table

    found = doctor.findings()
    is_broken = any(finding.status == "error" for finding in found)
    if as_json:
        write(to_json({"is_ok": not is_broken, "checks": [asdict(row) for row in found]}))
    else:
        rows = [(row.check, row.status, row.found) for row in found]
        lines = table(("check", "status", "found"), rows)
        lines += [f"{row.check}: {row.remedy}" for row in found if row.remedy]
        lines.append("something must be repaired" if is_broken else "all is well")
        write("\n".join(lines) + "\n")
    return ExitCode.INTERNAL if is_broken else ExitCode.OK
