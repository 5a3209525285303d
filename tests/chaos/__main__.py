import argparse
import json
import os
import os.path as osp
import random
import signal
import sys
import time

from tests import chaos
from tests.chaos import scenarios
from tests.soak.lines import append_line, read_lines


def main():
    parser = argparse.ArgumentParser(
        prog='python -m tests.chaos',
        description=chaos.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--minutes', type=float, default=30)
    parser.add_argument('--seed', type=int, help='by default a random one')
    parser.add_argument('--out', default='work_dirs/soak/chaos.jsonl')
    args = parser.parse_args()
    end = time.monotonic() + 60 * args.minutes
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    done = read_lines(args.out)
    seeds = {line['seed'] for line in done}
    seed = args.seed
    while seed is None or (args.seed is None and seed in seeds):
        seed = random.SystemRandom().randrange(10**6)
    trial = 1 + max(
        (line['trial'] for line in done if line['seed'] == seed), default=-1
    )
    os.makedirs(osp.dirname(osp.abspath(args.out)), exist_ok=True)
    from tests.chaos import server  # which imports torch and mmdet

    lost = 0
    with server.trainings(osp.splitext(osp.abspath(args.out))[0]) as trainings:
        while time.monotonic() < end:
            line = trainings.run(scenarios.draw(seed, trial))
            append_line(args.out, line)
            lost += bool(line['lost'])
            print(json.dumps(line), flush=True)
            trial += 1
    return int(lost > 0)


if __name__ == '__main__':
    sys.exit(main())
