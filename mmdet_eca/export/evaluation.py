"""The metrics of an exported detector beside torch's."""

import copy

import torch
from mmdet.models.detectors import BaseDetector
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from tqdm import tqdm

from ..engine.checks import check_config
from ..errors import UserError
from .onnx_detector import OnnxDetector


def check_data(cfg: Config) -> None:
    """Checks that a config's data for tests are there.

    Raises:
        UserError: If they are not, or the config has none.
    """
    if cfg.get('test_dataloader') is None or cfg.get('test_evaluator') is None:
        raise UserError(
            'to evaluate, the config must have test_dataloader and test_evaluator'
        )
    check_config(cfg, ('test',))


def evaluate(
    model: BaseDetector, detector: OnnxDetector
) -> dict[str, tuple[float, float]]:
    """Evaluates both on the data that the config tests on, image by image.

    In a batch, images of other sizes would be padded to the largest, which changes
    their results a little.

    Args:
        model (BaseDetector): The detector in torch, with ``cfg``.
        detector (OnnxDetector): The same, exported.

    Returns:
        dict[str, tuple[float, float]]: Each metric with torch and with onnxruntime.

    """
    cfg = copy.deepcopy(model.cfg)
    cfg.test_dataloader.batch_size = 1
    loader = Runner.build_dataloader(cfg.test_dataloader)
    both = (model, detector)
    evaluators = [Evaluator(copy.deepcopy(cfg.test_evaluator)) for _ in both]
    for evaluator in evaluators:
        evaluator.dataset_meta = loader.dataset.metainfo
    for data in tqdm(loader, 'evaluated', unit='image'):
        for each, evaluator in zip(both, evaluators):
            samples = [sample.clone() for sample in data['data_samples']]
            with torch.no_grad():
                results = each.test_step(dict(data, data_samples=samples))
            evaluator.process(data_samples=results, data_batch=data)
    ours, theirs = (one.evaluate(len(loader.dataset)) for one in evaluators)
    return {name: (ours[name], theirs[name]) for name in ours}
