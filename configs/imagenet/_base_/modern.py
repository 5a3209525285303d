# Our recipe, not the paper's, for a better backbone in fewer GPU hours: 40 epochs of
# growing crops (128, 160, 192; validation at 224), batches of 1024 (4 GPUs x 256),
# bfloat16, channels_last, Nesterov SGD with warm-up and cosine, label smoothing, no
# decay of norms and biases, and an exponential moving average of the weights.
_base_ = ['./imagenet.py', './runtime.py']

_epochs = 40
_rest = [dict(type='RandomMirror', prob=0.5), dict(type='PackImage')]
_crops_128 = [dict(type='LoadRandomResizedCrop', size=128), *_rest]
_crops_160 = [dict(type='LoadRandomResizedCrop', size=160), *_rest]
_crops_192 = [dict(type='LoadRandomResizedCrop', size=192), *_rest]

model = dict(
    backbone=dict(out_indices=(3,), norm_eval=False),
    in_channels=2048,
    label_smoothing=0.1,
)
train_dataloader = dict(batch_size=256, dataset=dict(pipeline=_crops_128))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=_epochs)
optim_wrapper = dict(
    type='AmpOptimWrapper',
    dtype='bfloat16',
    optimizer=dict(type='SGD', lr=2.0, momentum=0.9, weight_decay=5e-5, nesterov=True),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, end=5, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        begin=5,
        end=_epochs,
        T_max=_epochs - 5,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(enable=False, base_batch_size=1024)
custom_hooks = [
    dict(type='ChannelsLastHook'),
    dict(type='EMAHook', momentum=2e-4, update_buffers=True),
    dict(type='PipelineSwitchHook', switch_epoch=14, switch_pipeline=_crops_160),
    dict(type='PipelineSwitchHook', switch_epoch=28, switch_pipeline=_crops_192),
]
