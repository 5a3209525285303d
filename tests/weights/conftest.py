"""What the tests of downloads share."""

import pytest

from tests.weights.server import serve


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Where downloads go: torch.hub's folder and Hugging Face's."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path / 'hub'))
    return tmp_path / 'torch/hub/checkpoints'


@pytest.fixture
def folder(tmp_path):
    """What is served."""
    (tmp_path / 'served').mkdir()
    return tmp_path / 'served'


@pytest.fixture
def server(cache, folder, monkeypatch):
    with serve(folder) as server:
        monkeypatch.setenv('HF_ENDPOINT', server.address)
        yield server
