"""The command ``mmdet-eca make-photographs``."""

from mmdet_eca.commands import run_tool

if __name__ == '__main__':
    run_tool(__file__)
