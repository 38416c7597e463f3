"""The command ``invscore``, and ``python -m invscore``: what goes before imports."""

from __future__ import annotations

import sys

from invscore.cli import devices, stopping


def main() -> None:
    stopping.install()
    devices.begin()
    try:
        from invscore.cli.main import main as run

        status = run()
        stopped = stopping.stopped()
        taken = stopped is not None and status not in (0, stopped.status)
        if stopped is not None and taken:  # by the parser, which says 130 of whatever came
            raise stopped
    except KeyboardInterrupt as stop:
        print(f"invscore: {str(stop) or 'interrupted'}", file=sys.stderr)
        status = getattr(stop, "status", 130)
    stopping.uninstall()
    sys.exit(status)


if __name__ == "__main__":
    main()
