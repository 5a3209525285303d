_base_ = 'mmdet::_base_/default_runtime.py'

randomness = dict(seed=0)
env_cfg = dict(cudnn_benchmark=True)
default_hooks = dict(
    # A checkpoint is there whenever the run is killed, also while it writes one.
    checkpoint=dict(max_keep_ckpts=3),
    corrupt_images=dict(type='CorruptImagesHook', limit=0),
    export=dict(type='ExportBackboneHook'),
)
