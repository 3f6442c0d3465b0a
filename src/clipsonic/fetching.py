"""Published models: what is here is checked, what is missing is fetched.

The hub's own client throws away what it has when it is stopped. So the bytes are fetched by `download`, into the
place where that client looks for them, and it then enters them into its cache.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clipsonic.download import SHA1, SHA256, Listener, Remote, download, matches
from clipsonic.errors import UserError, first_line
from clipsonic.published import Published, by_hand, local_file, torch_hub_folder


@dataclass(frozen=True)
class Checked:
    """A file that is here; `good` is None if nothing tells what it should be."""

    file: str
    path: Path
    good: bool | None


def check(row: Published) -> Iterator[Checked]:
    """Reads every file of a row that is here, and compares it with its checksum."""
    for file in row.files:
        path = local_file(row, file)
        if path is not None:
            digest = known_digest(row, path)
            yield Checked(file, path, None if digest is None else matches(path, digest))


def known_digest(row: Published, path: Path) -> str | None:
    """The checksum that the name of a file holds.

    The hub's cache names a blob after its SHA-256 or, if it is small, after git's SHA-1 of it. The names of torch
    hub's files end in the first digits of their SHA-256.
    """
    if row.kind == "url":
        found = re.search(r"-([0-9a-f]{8,})\.", path.name)
        return found[1] if found else None
    return _blob_digest(path.readlink().name) if path.is_symlink() else None


def _blob_digest(name: str) -> str | None:
    return name if re.fullmatch(r"[0-9a-f]*", name) and len(name) in (SHA1, SHA256) else None


def fetch(row: Published, listener: Listener) -> None:
    """Makes a row be here, whole and checked; asks the network only for what is missing or damaged.

    What has come before an interruption is kept beside its place, and the next call goes on from there.

    Args:
        row: of kind hub or url.
        listener: told of every step.

    Raises:
        UserError: there is no network, or what came is not what was published; with what to do by hand.
    """
    good = 0
    for checked in check(row):
        if checked.good is False:
            checked.path.resolve().unlink()
            checked.path.unlink(missing_ok=True)
            listener.deleted(checked.file)
        else:
            good += 1
    if good == len(row.files):
        return
    from huggingface_hub.constants import ENDPOINT, HF_HUB_OFFLINE

    if HF_HUB_OFFLINE:
        raise UserError(f"HF_HUB_OFFLINE is set, so {row.name} is not fetched; unset it, {by_hand(row)}")
    try:
        if row.kind == "hub":
            _fetch_from_hub(row, listener)
        else:
            target = torch_hub_folder() / row.files[0]
            download(Remote(row.source, target, None, known_digest(row, target)), listener)
    except UserError:
        raise
    except Exception as error:  # the clients of hub and web have families of their own
        host = ENDPOINT if row.kind == "hub" else row.source
        raise UserError(
            f"{row.name} cannot be fetched from {host} ({first_line(error)}); try again, {by_hand(row)}"
        ) from error


def _fetch_from_hub(row: Published, listener: Listener) -> None:
    from huggingface_hub import hf_hub_download

    found = [_on_the_hub(row.source, file) for file in row.files]
    listener.total(sum(remote.size or 0 for _, remote in found))
    for name, remote in found:
        if remote.target.exists() and (remote.digest is None or matches(remote.target, remote.digest)):
            listener.more(remote.size or 0)
        else:
            download(remote, listener)
        hf_hub_download(row.source, name)  # finds the bytes in place, and gives them their name


def _on_the_hub(source: str, file: str) -> tuple[str, Remote]:
    """The first of `a|b` that the hub has => its name there, and what to fetch."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.errors import EntryNotFoundError
    from huggingface_hub.file_download import repo_folder_name

    name, _, others = file.partition("|")
    try:
        page = get_hf_file_metadata(hf_hub_url(source, name))
    except EntryNotFoundError:
        if not others:
            raise
        return _on_the_hub(source, others)
    if page.etag is None or page.commit_hash is None:
        raise OSError("what answers is no model hub")
    blobs = Path(HF_HUB_CACHE) / repo_folder_name(repo_id=source, repo_type="model") / "blobs"
    return name, Remote(page.location, blobs / page.etag, page.size, _blob_digest(page.etag))
