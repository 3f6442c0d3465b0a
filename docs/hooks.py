"""What the site adds to the pages of `docs/`: pages that live elsewhere in the repository, and links between all.

Links in the sources lead from file to file, so that they work wherever the repository is read. Here those to files
that have a page lead to the page, and those to files that have none become the file's path.
"""

import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parent.parent
ELSEWHERE = {  # address on the site: file in the repository
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "model-card.md": "src/clipsonic/weights/mini/README.md",
    "recipe.md": "recipes/mini/README.md",
    **{
        f"notebooks/{path.stem}.md": f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")
    },
}
PAGE_OF = {source: page for page, source in ELSEWHERE.items()} | {"docs/decisions": "decisions/README.md"}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages from elsewhere, and the notebooks themselves."""
    for page, source in ELSEWHERE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        if source.endswith(".ipynb"):
            files.append(File.generated(config, source, content=text))
            text = notebook_page(text, Path(source).name)
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turns links to files of the repository into links to pages."""
    here = page.file.src_uri
    source = ELSEWHERE.get(here, f"docs/{here}")
    if source.endswith(".ipynb"):
        return markdown
    return LINK.sub(lambda found: link(found, here, source), markdown)


def link(found: re.Match[str], here: str, source: str) -> str:
    """One link of the page `here`, whose text is that of the file `source`."""
    picture, words, target, anchor = found.groups()
    if re.match(r"[a-z]+:", target):
        return found[0]
    file = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    page = PAGE_OF.get(file) or (file.removeprefix("docs/") if file.startswith("docs/") else None)
    if page is None and (ROOT / file).exists():
        return f"{words} (`{file}`)"
    if page is None:
        return found[0]  # nowhere: the strict build says so
    return f"{picture}[{words}]({posixpath.relpath(page, posixpath.dirname(here) or '.')}{anchor or ''})"


def notebook_page(text: str, name: str) -> str:
    """A notebook => its text and code in Markdown, with a link to the file to run it."""
    pieces = []
    for cell in json.loads(text)["cells"]:
        words = "".join(cell["source"])
        pieces.append(words if cell["cell_type"] == "markdown" else f"```python\n{words}\n```")
    pieces.insert(
        1, f"To run it, take [the notebook]({name}); `pip install jupyter` and the project are enough."
    )
    return "\n\n".join(pieces) + "\n"
