import argparse
import signal
import sys

from tests import soak
from tests.soak.running import run


def main():
    parser = argparse.ArgumentParser(
        prog='python -m tests.soak',
        description=soak.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--minutes', type=float, default=120, help='in all')
    parser.add_argument('--out', default='work_dirs/soak', help='the folder')
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    lost = run(args.minutes, args.out)
    print(f'{args.out}/report.md: {f"{lost} lost" if lost else "nothing lost"}')
    return int(lost > 0)


if __name__ == '__main__':
    sys.exit(main())
