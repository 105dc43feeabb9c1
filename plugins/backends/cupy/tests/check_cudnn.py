"""Asks cuDNN for execution plans for an H100, on a machine without a GPU, and prints what it answers.

python check_cudnn.py INCLUDE...     # folders with CUDA's headers (nvidia-cuda-runtime-cu12, nvidia-cuda-nvcc-cu12)

Needs g++, nvidia-cudnn-frontend, nvidia-cudnn-cu12, nvidia-cublas-cu12 and nvidia-cuda-nvrtc-cu12. cuDNN chooses plans
from the properties of a device, which may be given as text; it wants a driver to load, and a runtime to ask which
device is present: both are stubs here, compiled on the fly. Nothing is executed. What this shows: cuDNN understands
kcore's graphs, and has plans for them that are exact where that is promised and give the same bits at each run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kcore_backends_cupy.cudnn import Convolution, plan

H100 = {
    "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64], "regsPerBlock": 65536,
    "multiProcessorCount": 132, "smCountOrigin": 0, "warpSize": 32, "maxSharedMemoryPerBlock": 49152,
    "maxSharedMemoryPerBlockOptin": 232448, "reservedSharedMemoryPerBlock": 1024,
    "oversizedSharedMemoryPerBlock": 232448, "maxRegistersPerSM": 65536, "maxCtasPerSM": 32,
    "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "pciDeviceId": 8976, "isTccDriver": 0, "supportCoopLaunch": 1,
    "totalGlobalMem": 85000000000, "smClockRateKHz": 1980000, "memClockRateKHz": 2619000, "memoryBusWidth": 5120,
    "l2CacheSize": 52428800, "cudaDeviceId": 0, "deviceVer": 900, "driverVer": 12080,
    "deviceName": "NVIDIA H100 80GB HBM3",
}  # fmt: skip

RUNTIME = """
#include <driver_types.h>
extern "C" {
int cudaGetDevice(int* d) { *d = 0; return 0; }
int cudaGetLastError() { return 0; }
const char* cudaGetErrorString(int) { return "there is no GPU"; }
int cudaDeviceGetAttribute(int* value, int attribute, int) {
  *value = attribute == cudaDevAttrComputeCapabilityMajor ? 9 : attribute == cudaDevAttrComputeCapabilityMinor ? 0
         : attribute == cudaDevAttrMultiProcessorCount ? 132 : 1;
  return 0;
}
int cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  p->major = 9; p->minor = 0; p->multiProcessorCount = 132;
  return 0;
}
}
"""

# name, batch, side of the image, channels, filters, side and stride of the window, padding (None: "same")
CONVOLUTIONS = (
    ("MNIST, first", 128, 28, 1, 32, 3, 1, 0),
    ("MNIST, second", 128, 26, 32, 64, 3, 1, 0),
    ("ResNet50, first", 64, 224, 3, 64, 7, 2, 3),
    ("ResNet50, first, same", 64, 224, 3, 64, 7, 2, None),
    ("ResNet50, 56", 64, 56, 64, 64, 3, 1, None),
    ("ResNet50, 28", 64, 28, 128, 128, 3, 1, None),
    ("ResNet50, 14", 64, 14, 256, 256, 3, 1, None),
    ("ResNet50, 7", 64, 7, 512, 512, 3, 1, None),
    ("ResNet50, 1x1, stride 2", 64, 56, 256, 128, 1, 2, None),
    ("uneven same", 64, 56, 64, 128, 3, 2, None),
    ("few channels", 32, 20, 5, 7, 3, 1, None),
)


def libraries() -> list[Path]:
    """Folders of the wheels' libraries."""
    import nvidia

    return [path for root in nvidia.__path__ for path in sorted(Path(root).glob("*/lib"))]


def stubs(folder: Path, includes: list[str]) -> None:
    """A driver with the symbols that cuDNN must find at its start, and a runtime that claims one device."""
    wanted: set[str] = set()
    for library in (p for path in libraries() for p in path.glob("libcudnn*.so.*")):
        listed = subprocess.run(["nm", "-D", "--undefined-only", library], capture_output=True, text=True, check=True)
        names = (line.split()[-1].split("@")[0] for line in listed.stdout.splitlines())
        wanted |= {name for name in names if name.startswith("cu") and name[2:3].isupper()}
    driver = "".join(f'extern "C" int {name}() {{ return 100; }}\n' for name in sorted(wanted))
    for source, name in ((driver, "libcuda.so.1"), (RUNTIME, "libruntime.so")):
        command = ["g++", "-shared", "-fPIC", f"-Wl,-soname,{name}", *(f"-I{i}" for i in includes), "-x", "c++", "-"]
        subprocess.run([*command, "-o", str(folder / name)], input=source, text=True, check=True)


def frontend() -> Any:
    """The frontend, with graphs for an H100."""
    import cudnn

    device = cudnn.create_device_properties(json.dumps(H100))
    kept = ("data_type", "numerical_note", "heur_mode", "cudnnGraphNotSupportedError")
    made = SimpleNamespace(**{name: getattr(cudnn, name) for name in kept})
    made.pygraph = lambda handle, **types: cudnn.pygraph(device_property=device, **types)
    return made


def convolution(kind: Any, dtype: str, tf32: bool, row: tuple[Any, ...]) -> Convolution:
    _, batch, side, channels, filters, size, stride, padding = row
    total = max((-(-side // stride) - 1) * stride + size - side, 0) if padding is None else 2 * padding
    before = total // 2
    out = (side + total - size) // stride + 1
    return Convolution(
        kind, dtype, (batch, side, side, channels), (batch, out, out, filters), (filters, size, size, channels),
        (before,) * 2, (total - before,) * 2, (stride,) * 2, (1, 1), tf32,
    )  # fmt: skip


def report() -> None:
    """A line for each convolution: the workspace of its plan in each precision, or what was said instead."""
    cudnn = frontend()
    precisions = (("float32", False), ("float32", True), ("float16", False))
    print(f"{'':26}{'float32':>12}{'TF32':>12}{'float16':>12}")
    for row in CONVOLUTIONS:
        for kind in ("fprop", "dgrad", "wgrad"):
            made = [plan(cudnn, convolution(kind, dtype, tf32, row), None) for dtype, tf32 in precisions]
            said = ["no plan" if g is None else f"{g.get_workspace_size() / 2**20:.1f} MiB" for g in made]
            print(f"{row[0]:26}"[:26] + "".join(f"{s:>12}" for s in said) + f"  {kind}", flush=True)


def main(includes: list[str]) -> None:
    if not includes:
        report()
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stubs(folder, includes)
        paths = os.pathsep.join(map(str, [folder, *libraries()]))
        chosen = {"LD_LIBRARY_PATH": paths, "CUDNN_FRONTEND_CUDART_LIB_NAME": str(folder / "libruntime.so")}
        subprocess.run([sys.executable, __file__], env={**os.environ, **chosen}, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
