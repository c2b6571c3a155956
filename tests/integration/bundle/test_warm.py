"""What a caller's first call needs is compiled before the server says that it serves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from server.testing.bundles import TinyBundle

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from pathlib import Path
from core.engine import DomainEngine, load_bundle
from core.log import Outcome
from core.requests import FeedbackEvent
from core.state.writing import interact, react
from domains import DOMAINS

domain = DOMAINS["music"]
engine = DomainEngine(domain, load_bundle(Path(sys.argv[1]), domain))
before = [list(kernel.signatures) for kernel in (interact, react)]
for sequence, outcome in enumerate(sorted(domain.outcomes), start=1):
    engine.apply(FeedbackEvent(sequence, "ann", f"t{sequence}", outcome, engine.clock_s))
after = [list(kernel.signatures) for kernel in (interact, react)]
print(engine.watermark, all(before), before == after)
"""


def test_the_first_event_of_a_process_waits_for_no_compiler(tiny_music: TinyBundle) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tiny_music.directory)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(len(tiny_music.domain.outcomes)), "True", "True"]
