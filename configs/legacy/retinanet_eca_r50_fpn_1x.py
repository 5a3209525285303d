# The authors' released detector, converted by tools/convert_checkpoint.py.
_base_ = ['./_base_/retinanet.py', '../_base_/eca_r50.py']

model = dict(backbone=dict(_base_.backbone, kernel_size=(3, 3, 7, 7), init_cfg=None))
