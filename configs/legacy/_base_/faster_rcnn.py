_base_ = ['../../_base_/faster_rcnn_fpn_1x.py', './inclusive_boxes.py']

model = _base_.rcnn
val_evaluator = _base_.evaluator
test_evaluator = val_evaluator
