"""CPU time of processes, from the kernel's own counters."""

from __future__ import annotations

import psutil


class CpuMeter:
    """Seconds of CPU that a process has used since the meter was made; `children` are counted apart."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._before = self._own()
        self._children_before = self._of_children()

    @property
    def own(self) -> float:
        """Seconds of the process itself, all threads."""
        return self._own() - self._before

    @property
    def children(self) -> float:
        """Seconds of the processes it started that are still alive (speech workers), Asterisk and its warden aside."""
        return self._of_children() - self._children_before

    def _own(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def _of_children(self) -> float:
        total = 0.0
        for child in self._process.children(recursive=True):
            try:
                # Asterisk's own name may be that of the loader it is started with.
                if any(name in part for part in child.cmdline() for name in ("asterisk", "pbx_warden")):
                    continue
                times = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return float(total)
