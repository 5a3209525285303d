import argparse
import collections
import json
import os
import os.path as osp
import pathlib
import random
import sys
import time

from tests import soak


def main():
    parser = argparse.ArgumentParser(
        prog='python -m tests.soak',
        description=soak.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--minutes', type=float, default=30)
    parser.add_argument('--out', default='work_dirs/soak/trials.jsonl')
    args = parser.parse_args()
    end = time.monotonic() + 60 * args.minutes
    folder = osp.dirname(osp.abspath(args.out))
    os.makedirs(folder, exist_ok=True)
    os.environ['OMP_NUM_THREADS'] = '1'
    from tests.conftest import write_coco
    from tests.soak import trial  # which imports torch and mmdet

    coco, references = osp.join(folder, 'coco'), {}
    if not osp.exists(coco):
        write_coco(pathlib.Path(coco))
    while time.monotonic() < end:
        seed = random.SystemRandom().randrange(10**9)
        line = trial.run(seed, osp.join(folder, f'trial_{seed}'), coco, references)
        with open(args.out, 'a') as file:
            file.write(json.dumps(line) + '\n')
        print(json.dumps(line), flush=True)
        with open(args.out) as file:
            lines = [json.loads(text) for text in file]
        with open(osp.join(folder, 'report.md'), 'w') as file:
            file.write(report(lines))
    return int(any(line['lost'] for line in lines))


def report(lines):
    """How many trials of each kind there were, and what each has lost."""
    rows = collections.defaultdict(list)
    for line in lines:
        rows[line['kind'], line['ranks'], line['end']].append(line)
    text = '| training | processes | end | trials | kills | with a loss |\n'
    text += '|---|---|---|---|---|---|\n'
    for key, of_kind in sorted(rows.items()):
        kills = sum(line['kills'] for line in of_kind)
        lost = sum(bool(line['lost']) for line in of_kind)
        cells = [*key, len(of_kind), kills, lost]
        text += f'| {" | ".join(map(str, cells))} |\n'
    for line in lines:
        if line['lost']:
            text += f'\n- trial_{line["seed"]}: {"; ".join(line["lost"])}\n'
    return text


if __name__ == '__main__':
    sys.exit(main())
