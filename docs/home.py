"""The site opens with README.md."""

import re
from pathlib import Path

FILES = re.compile(r'\[([^\]]+)\]\((?!https://|docs/|#)[^)]+\)')


def on_page_markdown(markdown, page, **kwargs):
    """Returns README.md for the page index.md, with links from this folder.

    Configs and other files are no pages of the site: their names stay, without links.
    """
    if page.file.src_uri != 'index.md':
        return markdown
    readme = (Path(__file__).parent.parent / 'README.md').read_text(encoding='utf-8')
    return FILES.sub(r'\1', readme).replace('](docs/', '](')
