"""Where the packaged configuration lies: beside the packages in a checkout, inside `twin` in a wheel."""

from pathlib import Path


def conf_dir() -> Path:
    """Folder of the YAML profiles."""
    packaged = Path(__file__).parent / "conf"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "conf"
