import argparse
import os
import sys

os.environ['OMP_NUM_THREADS'] = '1'  # before torch: processes are forked from this one


def main():
    parser = argparse.ArgumentParser('python -m tests.fuzzing', description=__doc__)
    parser.add_argument('--minutes', type=float, default=30)
    parser.add_argument('--seed', type=int, default=0, help='other seeds: other inputs')
    parser.add_argument('--out', default='work_dirs/soak/fuzzing.jsonl')
    parser.add_argument('--kind', help='only kinds with this in their name')
    args = parser.parse_args()
    from tests.fuzzing.kinds import KINDS
    from tests.fuzzing.runs import run

    kinds = {name: kind for name, kind in KINDS.items() if (args.kind or '') in name}
    if not kinds:
        parser.error(f'no kind has {args.kind!r} in its name: {", ".join(KINDS)}')
    return 1 if run(args.minutes, args.out, args.seed, kinds) else 0


if __name__ == '__main__':
    sys.exit(main())
