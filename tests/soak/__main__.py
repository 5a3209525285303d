import argparse
import json
import os
import os.path as osp
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
    from tests.soak import trial  # which imports torch and mmdet

    trials, kills, lost, references = 0, 0, 0, {}
    while time.monotonic() < end:
        seed = random.SystemRandom().randrange(10**9)
        line = trial.run(seed, osp.join(folder, f'trial_{seed}'), references)
        trials, kills = trials + 1, kills + line['kills']
        lost += bool(line['lost'])
        print(json.dumps(line), flush=True)
        with open(args.out, 'a') as file:
            file.write(json.dumps(line) + '\n')
    print(f'{trials} trials, {kills} kills, {lost} with a loss')
    return int(lost > 0)


if __name__ == '__main__':
    sys.exit(main())
