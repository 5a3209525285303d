"""The trainings that are killed, as configs."""

import os.path as osp

from tests.conftest import ROOT
from tests.engine.resuming.runs import FLIPS
from tests.engine.resuming.toy import NUMBERS, toy_config
from tests.tools.test_train import digits_options

IMPORTS = dict(imports=['tests.engine.resuming.toy', 'tests.chaos.witness'])
TOTAL = {'toy': 40, 'toy, worker': 40, 'detector': 8}  # iterations
# What is there when a training is through.
FILES = {
    'toy': {'epoch_3.pth', 'epoch_4.pth', 'best'},
    'toy, worker': {'epoch_3.pth', 'epoch_4.pth', 'best'},
    'detector': {'epoch_2.pth'},
}
LAST = {'toy': 'epoch_4.pth', 'toy, worker': 'epoch_4.pth', 'detector': 'epoch_2.pth'}


def write_config(model, processes, folder, data):
    """Writes the config of a training, and returns its path and its options.

    Args:
        model: One of TOTAL.
        processes: How many processes train.
        folder: The work directory; the witness writes below it.
        data: Folder of Digits-COCO.
    """
    path = osp.join(folder, 'config.py')
    witness = dict(type='Witness', folder=osp.join(folder, 'witness'))
    if model == 'detector':
        with open(path, 'w') as file:
            file.write(
                f"_base_ = '{ROOT}/configs/digits/faster_rcnn_eca_r50_digits.py'\n"
                f'{FLIPS}custom_hooks.append({witness})\ncustom_imports = {IMPORTS}\n'
            )
        return path, digits_options(
            data,
            **{
                'train_dataloader.batch_size': 1,
                'train_dataloader.dataset.indices': 4 * processes,
                'train_cfg.max_epochs': 2,
                'train_cfg.val_begin': 9,
                'default_hooks.checkpoint.minutes': 0,
            },
        )
    config = toy_config(
        folder,
        randomness=dict(seed=3),
        model=dict(type='ChaosModel'),
        loader=dict(
            dataset=dict(NUMBERS, size=20),
            batch_size=2 // processes,
            num_workers=int('worker' in model),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=4),
        val_cfg=dict(type='ValLoop'),
        val_evaluator=dict(type='ChaosScore'),
        val_dataloader=dict(
            batch_size=2,
            num_workers=0,
            dataset=NUMBERS,
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        checkpoint=dict(minutes=0, max_keep_ckpts=2, save_best='score', rule='less'),
        custom_hooks=[dict(type='EMAHook', momentum=0.1), witness],
        custom_imports=IMPORTS,
        log_level='INFO',
    )
    config.dump(path)
    return path, []
