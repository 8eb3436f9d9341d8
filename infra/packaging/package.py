"""Make one artifact for Lambda: locked wheels for its platform, less what the cuts name, and bytecode.

Bytecode is compiled with unchecked hashes, so that Lambda never compiles at a cold start, whatever
the files' dates are after they were zipped.
"""

from __future__ import annotations

import argparse
import compileall
import importlib
import json
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PYTHON = (3, 13)
PLATFORMS = {
    "x86_64": ("manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux2014_x86_64"),
    "arm64": ("manylinux_2_34_aarch64", "manylinux_2_28_aarch64", "manylinux2014_aarch64"),
}
"""Amazon Linux 2023 has glibc 2.34."""
AWS_SERVICES = ("dynamodb", "secretsmanager", "sts")


def install(requirements: Path, out: Path, arch: str) -> None:
    """Install the locked wheels for Lambda's Python into `out`, whatever this machine's is."""
    platforms = [f"--platform={platform}" for platform in PLATFORMS[arch]]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--require-hashes", "--only-binary=:all:", "--no-compile", "--no-deps"]
    command += ["--implementation=cp", f"--python-version={PYTHON[0]}.{PYTHON[1]}", *platforms]
    command += ["--root-user-action=ignore", f"--target={out}", f"--requirement={requirements}"]
    subprocess.run(command, check=True)  # noqa: S603 (our own words only)


def cut(out: Path, cuts: Path) -> None:
    """Remove what the lines of `cuts` name, less what its later lines keep."""
    doomed: set[Path] = set()
    for line in cuts.read_text(encoding="utf-8").splitlines():
        pattern = line.strip()
        if pattern.startswith("!"):
            doomed -= set(out.glob(pattern[1:]))
        elif pattern and not pattern.startswith("#"):
            doomed |= set(out.glob(pattern))
    for path in doomed:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for folder in sorted(_folders(out), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def add_source(source: Path, out: Path) -> None:
    """Copy the functions' own code; links become what they point to."""
    ignored = shutil.ignore_patterns("__pycache__", "requirements.*", "*.egg-info")
    shutil.copytree(source, out, dirs_exist_ok=True, ignore=ignored)


def make_json(folder: Path, out: Path) -> None:
    """Turn policies from YAML into whole JSON: reading YAML would take 50 ms of each cold start."""
    sys.path.insert(0, str(out))
    yaml = importlib.import_module("yaml")
    known = importlib.import_module("turnout.known_models").known_models()
    for path in folder.glob("*.yaml"):
        document = known.fill_in(yaml.safe_load(path.read_text(encoding="utf-8")))
        path.with_suffix(".json").write_text(json.dumps(document), encoding="utf-8")
        path.unlink()


def thin_endpoints(out: Path) -> None:
    """Keep only our services in the SDK's list of endpoints: reading all takes 45 ms of each cold start."""
    path = out / "botocore" / "data" / "endpoints.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    for partition in document["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in AWS_SERVICES if name in services}
    path.write_text(json.dumps(document), encoding="utf-8")


def compile_all(out: Path) -> None:
    """Write bytecode beside every source; without Python 3.13 say what that costs, and go on."""
    if sys.version_info[:2] != PYTHON:
        print("No Python 3.13 found: no bytecode in the package; cold starts take longer.")
        return
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(out, quiet=2, force=True, invalidation_mode=mode, stripdir=str(out))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requirements", type=Path, required=True)
    parser.add_argument("--cuts", type=Path, required=True)
    parser.add_argument("--source", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arch", choices=PLATFORMS, default="x86_64")
    options = parser.parse_args()
    install(options.requirements, options.out, options.arch)
    cut(options.out, options.cuts)
    if options.source:
        add_source(options.source, options.out)
        thin_endpoints(options.out)
        make_json(options.out / "turnout" / "policies", options.out)
    compile_all(options.out)
    size = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    print(f"{options.out.name}: {size / 1e6:.1f} MB unzipped")


def _folders(out: Path) -> Iterator[Path]:
    return (path for path in out.rglob("*") if path.is_dir())


if __name__ == "__main__":
    main()
