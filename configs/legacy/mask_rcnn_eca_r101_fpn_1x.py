# The authors' released detector, converted by tools/convert_checkpoint.py.
_base_ = ['./_base_/mask_rcnn.py', '../_base_/eca_r101.py']

model = dict(backbone=dict(_base_.backbone, kernel_size=(3, 3, 5, 7), init_cfg=None))
