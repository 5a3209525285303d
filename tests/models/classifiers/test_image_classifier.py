import torch

from mmdet_eca import ImageClassifier
from mmdet_eca.evaluation import TopAccuracy


def test_classifier_loss_and_prediction():
    model = ImageClassifier(
        dict(type='mmdet.ECAResNet', depth=18, base_channels=8), 64, 5)
    images, labels = torch.rand(3, 3, 32, 32), torch.tensor([0, 4, 2])
    scores = model(images)
    loss = model(images, labels, mode='loss')['loss']
    log_probability = scores - scores.exp().sum(dim=1, keepdim=True).log()
    expected = -log_probability[torch.arange(3), labels].mean()
    torch.testing.assert_close(loss, expected)
    predicted = model(images, labels, mode='predict')
    assert [int(p['label']) for p in predicted] == [0, 4, 2]
    torch.testing.assert_close(predicted[1]['scores'], scores[1])


def test_top_accuracy():
    metric = TopAccuracy()
    scores = torch.eye(4)
    metric.process({}, [
        dict(scores=scores[i], label=torch.tensor(label))
        for i, label in enumerate((0, 1, 2, 0))
    ])
    assert metric.evaluate(size=4) == dict(top1=75.0)


def test_top_accuracy_of_several_k():
    metric = TopAccuracy(topk=(1, 2, 3))
    scores = torch.tensor([.1, .4, .2, .3])
    metric.process({}, [
        dict(scores=scores, label=torch.tensor(label)) for label in range(4)
    ])
    assert metric.evaluate(size=4) == dict(top1=25.0, top2=50.0, top3=75.0)


def test_label_smoothing_and_dropout():
    model = ImageClassifier(
        dict(type='mmdet.ECAResNet', depth=18, base_channels=8), 64, 5,
        label_smoothing=0.2, dropout=0.5).eval()
    images, labels = torch.rand(3, 3, 32, 32), torch.tensor([0, 4, 2])
    scores = model(images)
    torch.testing.assert_close(model(images), scores)  # no dropout in evaluation
    target = torch.full((3, 5), 0.04) + 0.8 * torch.eye(5)[labels]
    expected = -(target * scores.log_softmax(dim=1)).sum(dim=1).mean()
    loss = model(images, labels, mode='loss')['loss']
    torch.testing.assert_close(loss, expected)
    model.dropout.train()
    assert not torch.allclose(model(images), model(images))
