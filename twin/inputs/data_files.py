"""Where input data lies, and how it is opened: plain or gzip-compressed text, or one clear sentence."""

import gzip
import os
import zlib
from pathlib import Path

from twin.refusal import ConfigError

GZIP_MAGIC = b"\x1f\x8b"
LARGEST_BYTES = 1 << 30  # of text, after decompression


def find(name: str | os.PathLike[str], search: Path | None = None) -> Path:
    """Path of an input file: as given, in `search` (the configuration's data folder), or under TWIN_DATA.

    Under TWIN_DATA the file may lie in workload/, in orbits/ or in the folder itself. ConfigError when it is nowhere.
    """
    given = Path(os.path.expanduser(name))
    folders = [Path(), *([search] if search is not None else [])]
    if data := os.environ.get("TWIN_DATA"):
        folders += [Path(data) / "workload", Path(data), Path(data) / "orbits"]
    for folder in folders:
        if os.path.exists(folder / given):
            return folder / given
    places = ", ".join(["the working directory", *(str(folder) for folder in folders[1:])])
    raise ConfigError(f"{given}: no such file" + ("" if given.is_absolute() else f" in {places}"))


def read_text(path: Path) -> str:
    """Text of a plain or gzip-compressed file, with line ends as LF; bytes that are not UTF-8 become U+FFFD.

    ConfigError when the file is missing, cannot be read, is damaged, not text, larger than 1 GiB or empty.
    """
    try:
        with open(path, "rb") as file:
            packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            file.seek(0)
            content = (gzip.GzipFile(fileobj=file) if packed else file).read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ConfigError(f"{path}: damaged gzip file ({error})") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: cannot be read ({reason})") from None
    if len(content) > LARGEST_BYTES:
        raise ConfigError(f"{path}: more than 1 GiB of text; an input file may have at most that")
    if b"\0" in content:
        raise ConfigError(f"{path}: not a text file in UTF-8")
    text = content.decode("utf-8-sig", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise ConfigError(f"{path}: the file is empty")
    return text
