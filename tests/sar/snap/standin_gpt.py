"""A stand-in for SNAP's gpt: a program of the test suite, in no way ESA's.

It takes the same arguments, refuses what SNAP refuses (by the table of operators), makes the bands that SNAP would make
under their names, and writes BEAM-DIMAP computed by short code of its own from simulated products. On demand it
misbehaves as gpt has been seen to.

Environment
-----------
STANDIN_GPT_VERSION
    Version of the toolbox it plays: 13.0.4 unless the installation says otherwise.
STANDIN_GPT_FAULT
    One of `FAULTS`.
STANDIN_GPT_ONLY
    Regular expression of graph names that misbehave; all by default.
STANDIN_GPT_TIMES
    How many runs in one folder misbehave; all by default.
"""

import os
import re
import signal
import stat
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

FAULTS = {
    "silent": "says nothing and never ends",
    "hang": "stops half-way and never ends, whatever signal asks it to",
    "hang-at-end": "writes everything, says 100 % and never ends",
    "slow": "waits at every tenth",
    "crash": "an operator throws: stack trace, status 1, half of the files",
    "killed": "ended by the kernel, status 137",
    "out-of-memory": "Java's heap is full: status 1",
    "disk-full": "no space left on device: status 1",
    "missing-band": "status 0 without the last band",
    "zeros": "status 0, a band of zeros, and a stack trace in the log",
    "quiet-zeros": "status 0, a band of zeros, and nothing said",
    "half-written": "status 0 and an image that ends half-way",
    "shifted": "status 0 and a grid 5 m off",
    "no-output": "status 0 and no product",
}

DIAGNOSIS = """SNAP Release version {release}
SNAP home: {home}
SNAP debug: null
SNAP log level: INFO
Java home: /usr/lib/jvm/none
Java version: 21.0.4
Processors: {processors}
Max memory: {memory}
Cache size: {cache}
Tile parallelism: {threads}
Tile size: 512 x 512 pixels
"""


def install(folder, version="13.0.4"):
    """Lay out an installation that plays a version; returns its gpt.

    It has what others look for in one: ``bin/snap`` and ``etc`` (pyroSAR), the radar toolbox's module with its version.
    """
    folder = Path(folder)
    for name in ("bin", "etc", "microwavetbx/modules"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    gpt, root = folder / "bin" / "gpt", Path(__file__).parents[3]
    gpt.write_text(
        f'#!/bin/sh\nexport PYTHONPATH="{root}" STANDIN_GPT_VERSION="${{STANDIN_GPT_VERSION:-{version}}}"\n'
        # As SNAP's launcher: a shell whose child does the work.
        f'"{sys.executable}" -m tests.sar.snap.standin_gpt "$@"\n'
    )
    (folder / "bin" / "snap").write_text("#!/bin/sh\nexit 1\n")
    for program in (gpt, folder / "bin" / "snap"):
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (folder / "etc" / "snap.auxdata.properties").write_text("AuxDataPath = ${snap.userdir}/auxdata\n")
    (folder / "etc" / "snap.properties").write_text(f"snap.home = {folder}\n")
    manifest = f"Manifest-Version: 1.0\r\nOpenIDE-Module-Specification-Version: {version}\r\n"
    with zipfile.ZipFile(folder / "microwavetbx/modules/eu-esa-microwavetbx-sar-op-sentinel1.jar", "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", manifest)
    return gpt


def main(arguments):
    java = dict(re.findall(r"-J-D([\w.]+)=(\S+)", " ".join(arguments)))
    heap = next((a.removeprefix("-J-Xmx") for a in arguments if a.startswith("-J-Xmx")), "1024M")
    cache, threads = (option(arguments, name, text) for name, text in (("-c", "1024M"), ("-q", "8")))
    version = os.environ.get("STANDIN_GPT_VERSION", "13.0.4")
    if "--diag" in arguments:
        release = ".".join(version.split(".")[:2])
        about = {"release": release, "home": Path(sys.prefix), "processors": os.cpu_count()}
        sys.stdout.write(DIAGNOSIS.format(**about, memory=heap, cache=cache, threads=threads))
        return 0
    graph = Path(arguments[0])
    fault = chosen_fault(graph)
    if fault == "silent":
        time.sleep(3600)
    say("INFO: org.esa.snap.core.gpf.operators.tooladapter.ToolAdapterIO: Initializing external tool adapters")
    say(f"INFO: stand-in gpt {version}: heap {heap}, cache {cache}, threads {threads}")
    try:
        return run(graph, tuple(int(n) for n in version.split(".")), Path(java["snap.userdir"]), fault)
    except Exception as error:  # noqa: BLE001 - as gpt, which ends with status 1 whatever it was
        sys.stdout.write(f" done.\nError: {error}\n")
        say(f"{type(error).__name__}: {error}\n\tat org.esa.snap.core.gpf.main.GPT.main")
        return 1


def option(arguments, name, default):
    return arguments[arguments.index(name) + 1] if name in arguments else default


def say(text):
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def chosen_fault(graph):
    """The fault of this run; those of one folder are counted in a file beside the graph."""
    fault = os.environ.get("STANDIN_GPT_FAULT", "")
    if fault not in {"", *FAULTS}:
        raise ValueError(f"no such fault: {fault}")
    if not fault or not re.search(os.environ.get("STANDIN_GPT_ONLY", ""), graph.stem):
        return ""
    count = graph.with_name("standin-faults")
    done = int(count.read_text()) if count.exists() else 0
    if done >= int(os.environ.get("STANDIN_GPT_TIMES", "1000")):
        return ""
    count.write_text(str(done + 1))
    return fault


def run(graph, release, userdir, fault):
    from tests.sar.snap import standin_graph

    nodes = standin_graph.parse(graph.read_bytes())
    standin_graph.validate(nodes, release)
    sys.stdout.write("Executing processing graph\n")
    progress(0, 40, fault)
    misbehave_half_way(fault, [Path(n.parameters["file"]) for n in nodes if n.operator == "Write"])
    # Late, for they take seconds.
    from tests.sar.snap import standin_dimap
    from tests.sar.snap.standin_operators import OPERATORS, Context

    context, products, written = Context(release, userdir, say), {}, []
    for node in standin_graph.in_order(nodes):
        sources = [products[name] for name in node.sources]
        if node.operator == "Write":
            written.append((Path(node.parameters["file"]), sources[0]))
            continue
        with standin_graph.named(node):
            products[node.id] = OPERATORS[node.operator](node.parameters, sources, context)
    for file, product in written:
        if fault == "no-output":
            continue
        images = spoiled(list(standin_dimap.images_of(product)), fault)
        if fault == "shifted":
            product = replace(product, grid=replace(product.grid, west=product.grid.west + 5.0))
        standin_dimap.write(product, file, images)
        if fault == "half-written":
            image = sorted(file.with_suffix(".data").glob("*.img"))[-1]
            os.truncate(image, image.stat().st_size // 2)
    progress(50, 100, fault)
    sys.stdout.write(" done.\n")
    sys.stdout.flush()
    if fault == "hang-at-end":
        time.sleep(3600)
    return 0


def progress(first, last, fault):
    for percent in range(first, last + 1, 10):
        sys.stdout.write(f"{percent}%" if percent == 0 else f"....{percent}%")
        sys.stdout.flush()
        if fault == "slow":
            time.sleep(0.4)


def misbehave_half_way(fault, files):
    if fault == "hang":
        # The work is done by a child of the launcher; neither ends when it is asked to.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.run([sys.executable, "-c", "import signal, time; signal.signal(15, 1); time.sleep(3600)"])
    if fault in ("crash", "killed", "out-of-memory", "disk-full"):
        for file in files:
            half_a_product(file)
    if fault == "killed":
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "crash":
        raise RuntimeError("[NodeId: tc] Operator 'RangeDopplerGeocodingOp': java.lang.NullPointerException")
    if fault == "out-of-memory":
        say('Exception in thread "main" java.lang.OutOfMemoryError: Java heap space')
        sys.exit(1)
    if fault == "disk-full":
        raise OSError("java.io.IOException: No space left on device")


def half_a_product(file):
    """A header and images of full size filled with zeros: what a run that dies leaves behind."""
    folder = file.with_suffix(".data")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Gamma0_VV.img").write_bytes(bytes(4096))
    file.write_text("<Dimap_Document>")


def spoiled(images, fault):
    """Images as a run leaves them that goes wrong without saying so."""
    if fault == "missing-band":
        return images[:-1]
    if fault in ("zeros", "quiet-zeros"):
        if fault == "zeros":
            say("java.lang.ArrayIndexOutOfBoundsException: Index 7 out of bounds\n\tat Sentinel1Calibrator.computeTile")
        return [(images[0][0], images[0][1] * 0), *images[1:]]
    return images


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
