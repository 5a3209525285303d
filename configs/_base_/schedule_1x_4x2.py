# The paper's training: 12 epochs, steps after 8 and 11, SGD with momentum 0.9 and
# weight decay 1e-4, 4 GPUs x 2 images, learning rate 0.01 for all detectors.
_base_ = 'mmdet::_base_/schedules/schedule_1x.py'

optim_wrapper = dict(optimizer=dict(lr=0.01))
auto_scale_lr = dict(base_batch_size=8)
