"""How often the context of a mention is told right, on mentions whose flags were read by hand.

    python -m benchmarks.linking_flags --texts DIR [--bundle graph/] [--errors]

``tests/data/linking/flags.jsonl`` has mentions that the linker found in notes of no other set, with the flags that a
reader gave them. They are to develop on: their scores are no estimate for other notes. A mention that is found no more
is left out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.linking import annotated
from benchmarks.linking_notes import FLAGS
from ehr.progress import set_quiet
from kg.bundle import Bundle
from kg.link import Linker


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, default=Path("graph"))
    parser.add_argument("--errors", action="store_true", help="list what was told wrong")
    chosen = parser.parse_args()
    set_quiet(True)
    linker = Linker(Bundle.open(chosen.bundle))
    both, gold, said = (dict.fromkeys(FLAGS, 0) for _ in range(3))
    read = found = 0
    for note, text, read_by_hand in annotated("flags", chosen.texts):
        mentions = {mention.start: mention for mention in linker.link(text)}
        for one in read_by_hand:
            read += 1
            mention = mentions.get(one["start"])
            if mention is None:
                continue
            found += 1
            for flag in FLAGS:
                is_so, told = flag in one["flags"], bool(getattr(mention, flag))
                both[flag] += is_so and told
                gold[flag] += is_so
                said[flag] += told
                if chosen.errors and is_so != told:
                    around = text[max(0, one["start"] - 90) : one["end"] + 50].replace("\n", "⏎")
                    print(f"{'lacks' if is_so else 'has'} {flag}\t{note}:{one['start']}\t{around}")
    if not found:
        sys.exit("none of the mentions was found: is this the texts' directory, and a bundle with HPO?")
    print(f"{found} of {read} mentions\n\n| flag | read | told | F1 |\n|---|---|---|---|")
    for flag in FLAGS:
        print(f"| {flag} | {gold[flag]} | {said[flag]} | {2 * both[flag] / max(1, gold[flag] + said[flag]):.3f} |")


if __name__ == "__main__":
    main()
