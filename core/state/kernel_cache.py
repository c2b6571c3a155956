"""Drops compiled kernels that no longer fit their sources.

Numba keeps a compiled function until *its own* file changes, although the functions it calls, from
other files, are compiled into it: after an edit the replay could run yesterday's write side. So all
kernels of this package stand or fall together.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

PACKAGE = Path(__file__).parent
STAMP = "kernels.sha256"


def drop_stale(package: Path = PACKAGE) -> bool:
    """Delete the cached kernels of a package whose sources changed; whether it did.

    A directory that cannot be written holds no cache of ours: Numba then keeps one per user, and
    installing another version changes every file there is.
    """
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    stamp = package / "__pycache__" / STAMP
    try:
        if stamp.is_file() and stamp.read_text(encoding="ascii") == digest.hexdigest():
            return False
        for pattern in ("*.nbi", "*.nbc"):
            for cached in package.rglob(f"__pycache__/{pattern}"):
                cached.unlink(missing_ok=True)
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(digest.hexdigest(), encoding="ascii")
    except OSError:
        return False
    return True
