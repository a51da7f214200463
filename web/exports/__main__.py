"""`python -m web.exports xlsx|pdf < content.json > file`: draws one file and ends."""

from __future__ import annotations

import json
import os
import sys


def main() -> int:
    """Read the content, write the file; exit code 2 for a kind that is none."""
    kind, content = sys.argv[-1], json.load(sys.stdin)
    if hasattr(os, "nice"):
        os.nice(5)  # live screens go first
    if kind == "xlsx":
        from web.exports.sheets import workbook

        made = workbook(content)
    elif kind == "pdf":
        from web.exports.pages import paper

        made = paper(content)
    else:
        sys.stderr.write(__doc__ or "")
        return 2
    sys.stdout.buffer.write(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
