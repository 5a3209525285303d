"""Somebody else's environment: the built wheel, without the source tree."""

import os
import site
import sys

import mmengine

from tests.conftest import ROOT, run
from tests.tools.test_train import digits_options, free_port

THEIRS = """
_base_ = 'mmdet_eca::digits/mask_rcnn_eca_r50_digits.py'

model = dict(backbone=dict(kernel_size=3))
"""
TRAIN = """
import sys
from mmengine.config import Config
print(Config.fromfile('mmdets.py').model.backbone.type)
import mmdet_eca
from mmengine.runner import Runner
assert 'scratch' in mmdet_eca.__file__, mmdet_eca.__file__
cfg = Config.fromfile(sys.argv[1])
print(mmdet_eca.config_path('mask_rcnn_eca_r50_fpn_1x.py'))
cfg.work_dir, data = sys.argv[2:]
for loader in ('train', 'val', 'test'):
    cfg[f'{loader}_dataloader'].update(num_workers=0, persistent_workers=False)
    cfg[f'{loader}_dataloader'].dataset.data_root = data
cfg.train_dataloader.batch_size = 2
cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=1, val_interval=2)
cfg.param_scheduler = None
cfg.val_evaluator.ann_file = f'{data}/annotations/instances_val.json'
runner = Runner.from_cfg(cfg)
runner.train()
print('trained iterations:', runner.iter)
from mmdet_eca.paper import paper_rows
print('rows:', len(paper_rows([5, 6])))
from mmdet_eca.commands import main
main(['reproduce-tables', 'plan'])
"""
# mmdet's own tools read the bases before they import anything.
THEIRS_FOR_MMDETS_TOOLS = """
_base_ = __import__('mmdet_eca').config_path('mask_rcnn_eca_r50_fpn_1x.py')
"""


def test_wheel_trains_somebody_elses_config(digits, tmp_path):
    source = tmp_path / 'source'
    run('git', '-C', ROOT, 'checkout-index', '--all', f'--prefix={source}/')
    run(
        sys.executable,
        '-m',
        'pip',
        'wheel',
        '--no-deps',
        '--no-index',
        '--no-build-isolation',
        '--wheel-dir',
        tmp_path,
        source,
    )
    (wheel,) = tmp_path.glob('mmdet_eca-*.whl')
    run(sys.executable, '-m', 'venv', tmp_path / 'scratch')
    python = tmp_path / 'scratch' / 'bin' / 'python'
    run(python, '-m', 'pip', 'uninstall', '--yes', 'setuptools')  # an old one
    # torch, mmcv and the rest are taken from here; a path in a .pth file does
    # not bring the editable install of this package along.
    (packages,) = (tmp_path / 'scratch').glob('lib/python*/site-packages')
    # setuptools' own .pth, through which mmengine finds distutils, is not read either.
    (packages / 'installed.pth').write_text(
        f'{site.getsitepackages()[0]}\n'
        'import _distutils_hack; _distutils_hack.add_shim()\n'
    )
    before = set(os.listdir(packages))
    # With its dependencies: it must not bring an mmcv, mmengine or mmdet along,
    # which would overwrite those of the fork.
    run(python, '-m', 'pip', 'install', '--no-index', wheel)
    added = set(os.listdir(packages)) - before
    assert {name.partition('-')[0] for name in added} == {'mmdet_eca', 'mmcv_operators'}

    def theirs(*command, **options):
        """Runs a command in a folder and an environment without the source tree."""
        folder = ('env', '-C', tmp_path, '-u', 'PYTHONPATH')
        return run(*folder, *command, **options)

    (tmp_path / 'theirs.py').write_text(THEIRS)
    (tmp_path / 'mmdets.py').write_text(THEIRS_FOR_MMDETS_TOOLS)
    (tmp_path / 'train.py').write_text(TRAIN)
    done = theirs(python, 'train.py', 'theirs.py', 'work', digits)
    assert '.mim/configs/mask_rcnn_eca_r50_fpn_1x.py' in done.stdout
    assert 'trained iterations: 1' in done.stdout
    assert 'rows: 28' in done.stdout
    assert 'ECAResNet' in done.stdout.splitlines()
    _, plan = done.stdout.split('rows: 28\n')
    command, *_ = [
        line.split() for line in plan.splitlines() if not line.startswith('#')
    ]
    assert os.access(tmp_path / command[0], os.X_OK)
    assert os.path.isfile(tmp_path / command[1])

    tools = os.listdir(packages / 'mmdet_eca' / '.mim' / 'tools')
    assert {'train.py', 'test.py', 'dist_train.sh'} <= set(tools)
    mim = packages / 'mmdet_eca' / '.mim'
    (path,) = mmengine.load(mim / 'model-index.yml')['Import']
    models = mmengine.load(mim / path)['Models']
    assert all((mim / model['Config']).exists() for model in models)
    listed = {
        model['Name']: [result['Metrics'] for result in model.get('Results', ())]
        for model in models
    }
    assert listed['mask_rcnn_eca_r50_fpn_1x'] == [
        {'box AP (paper)': 39.0},
        {'mask AP (paper)': 35.6},
    ]
    assert sum(map(len, listed.values())) == 28

    # Its tools and its command find its configs and name each other, in whatever
    # folder.
    tools = packages / 'mmdet_eca' / '.mim' / 'tools'
    console = tmp_path / 'scratch' / 'bin' / 'mmdet-eca'
    for command, config in (
        ((console, 'pretrain-imagenet'), 'imagenet/eca_resnet50.py'),
        ((python, tools / 'train.py'), 'digits/retinanet_eca_r50_digits.py'),
    ):
        done = theirs(*command, f'configs/{config}', check=False)
        assert done.returncode == 1
        remedy = f'python {tools.relative_to(tmp_path)}/make_digits.py'
        assert remedy in done.stderr.splitlines()[-1]

    # torchrun starts the command as a module.
    theirs(
        *(python, '-m', 'torch.distributed.run', '--nproc-per-node=1'),
        *(f'--master-port={free_port()}', '-m', 'mmdet_eca', 'train'),
        *('digits/mask_rcnn_eca_r50_digits.py', '--launcher=pytorch'),
        *digits_options(digits, **{'train_cfg.val_begin': 2}),
    )
    work_dir = tmp_path / 'work_dirs' / 'mask_rcnn_eca_r50_digits'
    [log] = work_dir.glob('*/*.log')
    assert 'Distributed training: True' in log.read_text()
    assert (work_dir / 'epoch_1.pth').exists()
