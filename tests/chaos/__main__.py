import argparse
import json
import os
import os.path as osp
import random
import sys
import time

from tests.chaos import scenarios


def main():
    parser = argparse.ArgumentParser(prog='python -m tests.chaos', description=__doc__)
    parser.add_argument('--minutes', type=float, default=30)
    parser.add_argument('--seed', type=int, help='by default a random one')
    parser.add_argument('--out', default='work_dirs/soak/chaos.jsonl')
    args = parser.parse_args()
    end = time.monotonic() + 60 * args.minutes
    done = read_lines(args.out)
    seeds = {line['seed'] for line in done}
    seed = args.seed
    while seed is None or (args.seed is None and seed in seeds):
        seed = random.SystemRandom().randrange(10**6)
    trial = 1 + max(
        (line['trial'] for line in done if line['seed'] == seed), default=-1
    )
    os.makedirs(osp.dirname(osp.abspath(args.out)), exist_ok=True)
    from tests.chaos import server

    lost = 0
    with server.trainings(osp.splitext(osp.abspath(args.out))[0]) as trainings:
        while time.monotonic() < end:
            line = trainings.run(scenarios.draw(seed, trial))
            with open(args.out, 'a') as file:
                file.write(json.dumps(line) + '\n')
            lost += bool(line['lost'])
            print(json.dumps(line), flush=True)
            trial += 1
    return int(lost > 0)


def read_lines(path):
    """The lines that a run has written; the last may have been cut off by a kill."""
    lines = []
    if osp.exists(path):
        with open(path) as file:
            for text in file:
                try:
                    lines.append(json.loads(text))
                except ValueError:
                    continue
    return lines


if __name__ == '__main__':
    sys.exit(main())
