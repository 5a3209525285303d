# Two more epochs of the trained plain detector, at a tenth of the rate and on the
# norms' stored statistics. mask_rcnn_eca_r50_finetune_digits.py is the same with
# attention, for which new weights take the whole rate.
_base_ = './mask_rcnn_r50_digits.py'

load_from = 'work_dirs/mask_rcnn_r50_digits/epoch_4.pth'
model = dict(backbone=dict(norm_eval=True))
train_cfg = dict(max_epochs=2)
optim_wrapper = dict(
    optimizer=dict(lr=1e-4),
    paramwise_cfg=dict(
        custom_keys={'.eca.': dict(lr_mult=10), '.se.': dict(lr_mult=10)}
    ),
)
_warm_up, _cosine = _base_.param_scheduler
param_scheduler = [_warm_up, dict(_cosine, T_max=2)]
