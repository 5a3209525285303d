"""Evaluates a detector; the options are those of MMDetection's tools/test.py."""

import argparse
from copy import deepcopy

from mmdet.engine.hooks.utils import trigger_visualization_hook
from mmdet.evaluation import DumpDetResults
from mmengine.config import Config, ConfigDict

from ..errors import UserError
from ..training.cli import (
    add_run_arguments,
    check_writable,
    load_config,
    use_half_precision,
)
from ..training.config import innermost_datasets
from ..training.runner import build_runner


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', help='test config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    add_run_arguments(parser)
    parser.add_argument('--out', help='write the predictions to this pickle file')
    parser.add_argument('--show', action='store_true', help='show the predictions')
    parser.add_argument(
        '--show-dir', help='paint the predictions into work_dir/timestamp/SHOW_DIR'
    )
    parser.add_argument(
        '--wait-time', type=float, default=2, help='seconds to show each for'
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='half precision: float16 on a GPU, bfloat16 on a CPU that has it',
    )
    parser.add_argument('--tta', action='store_true', help='test-time augmentation')


def use_tta(cfg: Config) -> None:
    """Sets up test-time augmentation: the config's own, else horizontal flips.

    The defaults are those of MMDetection's tools/test.py, but that one replaces
    the config's ``meta_keys`` by a fixed list, gives its pipeline to the outermost
    wrapper of the data set, and fails at a mask head in the middle of the test.

    Args:
        cfg (Config): A detector's config, changed in place.

    Raises:
        UserError: If the detector predicts masks, which MMDetection cannot merge.
    """
    if cfg.model.get('roi_head', {}).get('mask_head') is not None:
        raise UserError(
            '--tta: MMDetection merges boxes, but not masks; leave '
            'it out, or test a detector without a mask head'
        )
    if 'tta_model' not in cfg:
        cfg.tta_model = dict(
            type='DetTTAModel',
            tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=100),
        )
    datasets = list(innermost_datasets(cfg.test_dataloader.dataset))
    if 'tta_pipeline' not in cfg:
        *load, pack = deepcopy(datasets[0]['pipeline'])
        pack.meta_keys = (*pack.meta_keys, 'flip', 'flip_direction')
        flips = [dict(type='RandomFlip', prob=prob) for prob in (1.0, 0.0)]
        cfg.tta_pipeline = [*load, dict(type='TestTimeAug', transforms=[flips, [pack]])]
    for dataset in datasets:
        dataset['pipeline'] = cfg.tta_pipeline
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)


def run(args: argparse.Namespace) -> None:
    cfg = load_config(args)
    cfg.load_from = args.checkpoint
    if args.out and not args.out.endswith(('.pkl', '.pickle')):
        raise UserError(f'--out must end in .pkl or .pickle, got {args.out}')
    if args.out:
        check_writable(args.out, '--out')  # before the evaluation
    if args.show or args.show_dir:
        cfg = trigger_visualization_hook(cfg, args)
    if args.tta:
        use_tta(cfg)
    if args.amp:
        use_half_precision(cfg)
    runner = build_runner(cfg, ('test',))
    if args.out:
        runner.test_evaluator.metrics.append(DumpDetResults(out_file_path=args.out))
    runner.test()
