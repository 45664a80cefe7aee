"""Follows every link inside of the built site: pages, and the headings that they name. Exits 1 where one leads nowhere."""

from __future__ import annotations

import sys
import urllib.parse
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).parent.parent
SITE = ROOT / "site"


class _Page(HTMLParser):
    """The links and the names of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect."""
        told = dict(attrs)
        self.names |= {name for name in (told.get("id"), told.get("name") if tag == "a" else None) if name}
        for key in ("href", "src"):
            if link := told.get(key):
                self.links.append(link)


def broken(site: Path) -> list[str]:
    """Every link that leads nowhere, with its page; links to other hosts are not followed."""
    pages = {path.resolve(): _Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        if path.name == "404.html":  # its links begin at the address that was not found
            continue
        for link in page.links:
            target = urllib.parse.urlsplit(link)
            if target.scheme or target.netloc:
                continue
            file = (path.parent / urllib.parse.unquote(target.path)).resolve() if target.path else path
            file = file / "index.html" if file.is_dir() else file
            anchor = urllib.parse.unquote(target.fragment)
            if not file.is_file() or (anchor and file in pages and anchor not in pages[file].names):
                found.append(f"{path.name}: {link}")
    return found


if __name__ == "__main__":
    told = broken(SITE)
    sys.stderr.writelines(f"leads nowhere: {one}\n" for one in told)
    sys.exit(1 if told else 0)
