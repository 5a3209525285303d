# The paper's recipe for MobileNetV2: SGD with weight decay 4e-5, batches of 96 (4 GPUs
# x 24), 400 epochs, 0.045 times 0.98 an epoch. Dropout and the first weights of the
# linear layers are those of the authors' code.
_base_ = ['./imagenet.py', './runtime.py']

model = dict(
    backbone=dict(out_indices=(7,), norm_eval=False),
    in_channels=1280,
    dropout=0.25,
    init_cfg=dict(type='Normal', layer='Linear', std=0.01),
)
train_dataloader = dict(batch_size=24)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=400)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.045, momentum=0.9, weight_decay=4e-5),
)
param_scheduler = dict(type='ExponentialLR', gamma=0.98)
auto_scale_lr = dict(enable=False, base_batch_size=96)
