# The authors' released detector, converted by tools/convert_checkpoint.py.
_base_ = ['./_base_/faster_rcnn.py', '../_base_/eca_r50.py']

model = dict(backbone=dict(_base_.backbone, kernel_size=(5, 5, 5, 5), init_cfg=None))
