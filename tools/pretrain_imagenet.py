"""The command ``mmdet-eca pretrain-imagenet``."""

from mmdet_eca.commands import run_tool

if __name__ == '__main__':
    run_tool(__file__)
