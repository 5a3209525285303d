"""Checks the links, commands and configs of README and ``docs/`` without running them.

``make check-docs`` runs their commands.
"""

import argparse
import glob
import importlib.util
import os.path as osp
import re
import shlex
import subprocess
from importlib import import_module
from types import SimpleNamespace

import pytest

from mmdet_eca.paper import paper_rows
from tests.conftest import ROOT
from tests.docs.pages import build_config, nav, pages, read, read_blocks

BLOCKS = [block for page in pages() for block in read_blocks(page)]
COMMANDS = [block for block in BLOCKS if block.language == 'bash']
every_page = pytest.mark.parametrize('page', pages())
# The scripts that launch a command, and which of their words they give to it.
LAUNCHERS = {
    'dist_train.sh': ('train', lambda words: [words[0], *words[2:]]),
    'dist_test.sh': ('test', lambda words: [*words[:2], *words[3:]]),
    'dist_pretrain.sh': ('pretrain-imagenet', lambda words: [words[0], *words[2:]]),
    'slurm_train.sh': ('train', lambda words: [words[2], *words[4:]]),
    'slurm_test.sh': ('test', lambda words: words[2:]),
    'slurm_pretrain.sh': ('pretrain-imagenet', lambda words: [words[2], *words[4:]]),
}


def code(page):
    """All that a page sets as code."""
    text = read(page)
    blocks = ''.join(block.text for block in read_blocks(page))
    return blocks + '\n'.join(re.findall(r'`([^`\n]+)`', text))


def anchors(page):
    """What '#...' may follow the page's address, as sites make it of a heading."""
    return {
        re.sub(r'[^\w -]', '', heading.lower()).replace(' ', '-')
        for heading in re.findall(r'^#+ (.+)$', read(page), re.MULTILINE)
    }


@every_page
def test_every_block_is_found_and_says_what_it_is(page):
    blocks = read_blocks(page)
    assert len(re.findall(r'^\s*```', read(page), re.MULTILINE)) == 2 * len(blocks)
    assert {block.language for block in blocks} <= {'bash', 'python', 'text'}
    reasons = read(page).count('<!-- not run:')
    assert reasons == sum(block.reason is not None for block in blocks)


@every_page
def test_every_file_that_is_named_is_there(page):
    named = re.findall(
        r'(?<![\w/.:-])'
        r'((?:configs|docs|mmdet_eca|resources|tests|tools|\.ci)/[\w./*-]*)',
        code(page),
    )
    assert not [path for path in named if not glob.glob(osp.join(ROOT, path))]


@every_page
def test_every_target_of_make_is_there(page):
    named = set(re.findall(r'\bmake ([a-z-]+)', code(page)))
    targets = set(re.findall(r'^([a-z-]+):', read('Makefile'), re.MULTILINE))
    assert named <= targets


@every_page
def test_every_link_leads_somewhere(page):
    for target in re.findall(r'\]\(([^)\s]+)\)', read(page)):
        if not target.startswith('https://'):
            path, _, anchor = target.partition('#')
            path = osp.normpath(osp.join(osp.dirname(page), path)) if path else page
            assert osp.exists(osp.join(ROOT, path)), target
            assert not anchor or anchor in anchors(path), target


@pytest.mark.parametrize('block', COMMANDS, ids=lambda block: block.place)
def test_commands_are_ones_that_our_parsers_take(block):
    subprocess.run(['bash', '-n', '-c', block.text], check=True)
    for line in block.text.replace('\\\n', ' ').splitlines():
        name, words = command_of(shlex.split(line, comments=True))
        if name and '--help' not in (name, *words):
            module = import_module(f'mmdet_eca.commands.{name.replace("-", "_")}')
            parser = argparse.ArgumentParser()
            module.add_arguments(parser)
            parser.parse_args(words)  # exits if it does not know a word


def command_of(words):
    """The command of ``mmdet-eca`` that a line runs, and the words it gets."""
    words = [word for word in words if not re.match(r'[A-Z_]+=', word)]  # variables
    if words[:1] == ['mmdet-eca']:
        return words[1], words[2:]
    if words[:3] == ['python', '-m', 'mmdet_eca']:
        return words[3], words[4:]
    if words[:1] == ['python'] and words[1].startswith('tools/'):
        return osp.basename(words[1])[:-3].replace('_', '-'), words[2:]
    launcher = osp.basename(words[0]) if words else ''
    if launcher in LAUNCHERS:
        name, given = LAUNCHERS[launcher]
        return name, given(words[1:])
    return None, words


@pytest.mark.parametrize(
    'block',
    [block for block in BLOCKS if block.is_config],
    ids=lambda block: block.place,
)
def test_configs_build_the_backbone_that_they_name(block):
    model = build_config(block)
    backbone = getattr(model, 'backbone', model)
    named = re.search(r"type='(?:mmdet\.)?(\w+ResNet)'", block.text)
    assert named is None or type(backbone).__name__ == named[1]


def test_readme_lists_the_pages_of_the_site():
    _, listed = read('README.md').split('| page |')
    links = set(re.findall(r'\]\((docs/\w+\.md)\)', listed))
    assert links == {*nav()} - {'docs/index.md'}


def test_readme_has_the_papers_figures_with_their_configs():
    paper = {}
    for row in paper_rows([5, 6]):  # Table 5, box AP, before Table 6, mask AP
        paper.setdefault(row.name, []).append(f'{row.paper["AP"]:.1f}')
    found = {
        name: figures.split(' / ')
        for figures, name in re.findall(
            r'\[([\d./ ]+)\]\(configs/(\w+)\.py\)', read('README.md')
        )
    }
    assert found == paper


def test_the_site_opens_with_readme_and_its_links():
    spec = importlib.util.spec_from_file_location('home', f'{ROOT}/docs/home.py')
    home = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(home)
    page = SimpleNamespace(file=SimpleNamespace(src_uri='index.md'))
    text = home.on_page_markdown('', page)
    with open(f'{ROOT}/README.md', encoding='utf-8') as file:
        pages = set(re.findall(r'\]\(docs/([\w/]+\.md)', file.read()))
    assert len(pages) > 10
    assert set(re.findall(r'\]\(([\w/]+\.md)', text)) == pages
    assert '](configs/' not in text and '[36.4]' not in text
