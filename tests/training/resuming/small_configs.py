"""Every detector config of ours, a quarter as wide, for the smallest data."""

from pathlib import Path

from mmengine.config import Config

from tests.conftest import ROOT

CONFIGS = sorted(
    str(path.relative_to(f'{ROOT}/configs'))
    for folder in ('.', 'legacy')
    for path in Path(f'{ROOT}/configs', folder).glob('*.py')
)
CHANNELS = {
    'in_channels',
    'out_channels',
    'feat_channels',
    'conv_out_channels',
    'fc_out_channels',
}
SIZES = {'scale', 'scales', 'crop_size'}
# Settings that leave every random number and every state what it is.
ALIKE = {'depth', 'kernel_size', 'init_cfg', 'checkpoint', 'backbone'}


def small_config(name, coco, **checkpoint):
    """The config for two epochs of four iterations on the images of a folder.

    The learning rate falls after the first epoch, as it does in each config sometime.

    Args:
        name: Below configs/.
        coco: The folder.
        checkpoint: Settings of the checkpoint hook.
    """
    cfg = Config.fromfile(f'{ROOT}/configs/{name}')
    cfg.load_from = None
    cfg.model.backbone.update(base_channels=16, init_cfg=None)
    if cfg.model.type == 'DINO':  # whose decoder has its width written into its code
        _change(cfg.model, {'in_channels', 'feedforward_channels'}, lambda n: n // 4)
        cfg.model.num_queries = 100  # of some 300 places
        cfg.model.encoder.num_layers = cfg.model.decoder.num_layers = 2
    else:
        _change(cfg.model, CHANNELS, lambda n: n // 4)
    for loader in ('train', 'val', 'test'):
        settings = cfg[f'{loader}_dataloader']
        settings.dataset.data_root = coco
        settings.update(batch_size=1, num_workers=0, persistent_workers=False)
        _change(settings.dataset.pipeline, SIZES, lambda n: n // 8)
    for evaluator in ('val', 'test'):
        path = f'{coco}/annotations/instances_val2017.json'
        cfg[f'{evaluator}_evaluator'].ann_file = path
    for scheduler in cfg.param_scheduler:
        if scheduler.type == 'MultiStepLR':
            scheduler.update(milestones=[1], end=2)
    cfg.train_cfg.update(max_epochs=2, val_begin=9)
    cfg.default_hooks.checkpoint.update(checkpoint)
    cfg.default_hooks.logger.interval = 1
    cfg.randomness = dict(seed=3)
    cfg.custom_hooks = [
        *cfg.get('custom_hooks', []),
        dict(type='EMAHook', momentum=0.1),
    ]
    return cfg


def kind(name):
    """A config without what changes no kind of random number and no kind of state."""
    cfg = Config.fromfile(f'{ROOT}/configs/{name}').to_dict()
    cfg = {key: value for key, value in cfg.items() if key not in ALIKE}
    cfg['model']['backbone'] = {
        key: value
        for key, value in cfg['model']['backbone'].items()
        if key not in ALIKE
    }
    return repr(sorted(cfg.items()))


def _change(value, names, change):
    """Changes the numbers below each of the names, in lists and tuples too."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in names:
                value[name] = _each(inner, change)
            else:
                _change(inner, names, change)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _change(inner, names, change)


def _each(value, change):
    if isinstance(value, (list, tuple)):
        return type(value)(_each(inner, change) for inner in value)
    return change(value)
