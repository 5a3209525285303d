# The paper's recipe for ResNets: SGD with momentum 0.9 and weight decay 1e-4, batches
# of 256 (4 GPUs x 64), 100 epochs, 0.1 divided by 10 every 30 epochs.
_base_ = ['./imagenet.py', './runtime.py']

model = dict(
    backbone=dict(
        out_indices=(3,),
        norm_eval=False,
        # as torchvision's ResNet, and the authors' after it, starts
        zero_init_residual=False,
    )
)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4),
)
param_scheduler = dict(type='MultiStepLR', milestones=[30, 60, 90], gamma=0.1)
auto_scale_lr = dict(enable=False, base_batch_size=256)
