import pytest
import torch
from mmengine.logging import MessageHub

from mmdet_eca import UserError
from mmdet_eca.pretraining import ImageClassifier, TopAccuracy


def test_classifier_loss_and_prediction():
    model = ImageClassifier(
        dict(type='mmdet.ECAResNet', depth=18, base_channels=8), 64, 5
    )
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
    metric.process(
        {},
        [
            dict(scores=scores[i], label=torch.tensor(label))
            for i, label in enumerate((0, 1, 2, 0))
        ],
    )
    assert metric.evaluate(size=4) == dict(top1=75.0)


def test_top_accuracy_of_several_k():
    metric = TopAccuracy(topk=(1, 2, 3))
    scores = torch.tensor([0.1, 0.4, 0.2, 0.3])
    metric.process(
        {}, [dict(scores=scores, label=torch.tensor(label)) for label in range(4)]
    )
    assert metric.evaluate(size=4) == dict(top1=25.0, top2=50.0, top3=75.0)


def test_constant_scores_have_no_accuracy():
    metric = TopAccuracy(topk=(1, 4, 5))
    metric.process(
        {},
        [
            dict(scores=torch.full((5,), value), label=torch.tensor(label))
            for label, value in enumerate((0.0, -3.0, 1e30, 0.0, 1.0))
        ],
    )
    assert metric.evaluate(size=5) == dict(top1=0.0, top4=0.0, top5=100.0)


def test_a_tie_with_another_class_is_lost():
    metric = TopAccuracy(topk=(1, 2))
    scores = torch.tensor([0.4, 0.4, 0.2])
    metric.process(
        {}, [dict(scores=scores, label=torch.tensor(label)) for label in range(3)]
    )
    assert metric.evaluate(size=3) == pytest.approx(dict(top1=0, top2=200 / 3))


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
@pytest.mark.parametrize('place', [0, 1, 2])  # the label's is 1
def test_scores_that_are_not_finite_are_refused(value, place):
    scores = torch.tensor([0.4, 0.5, 0.1])
    spoiled = scores.clone()
    spoiled[place] = value
    samples = [
        dict(scores=row, label=torch.tensor(1))
        for row in (scores, spoiled, scores, spoiled)
    ]
    # A new hub is the current one from now on.
    hub = MessageHub.get_instance(f'not finite: {value} {place}')
    metric = TopAccuracy()
    metric.process({}, samples[:1])
    with pytest.raises(
        UserError,
        match='scores are not finite, of image 3, image 5: the training has diverged',
    ):
        metric.process({}, samples)
    hub.update_info('iter', 41)
    with pytest.raises(
        UserError, match='after training iteration 42 are not finite, of b.jpg, d.jpg: '
    ):
        metric.process(dict(img_path=['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg']), samples)


def test_label_smoothing_and_dropout():
    model = ImageClassifier(
        dict(type='mmdet.ECAResNet', depth=18, base_channels=8),
        64,
        5,
        label_smoothing=0.2,
        dropout=0.5,
    ).eval()
    images, labels = torch.rand(3, 3, 32, 32), torch.tensor([0, 4, 2])
    scores = model(images)
    torch.testing.assert_close(model(images), scores)  # no dropout in evaluation
    target = torch.full((3, 5), 0.04) + 0.8 * torch.eye(5)[labels]
    expected = -(target * scores.log_softmax(dim=1)).sum(dim=1).mean()
    loss = model(images, labels, mode='loss')['loss']
    torch.testing.assert_close(loss, expected)
    model.dropout.train()
    assert not torch.allclose(model(images), model(images))
