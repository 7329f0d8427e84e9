"""Runs one attempt of a task as its parent, and leaves what happened in files.

Forked by `forker.py`, or started by `processes.launch` with ``python -I -S``, it leads a process
group of its own, imports only what starts fast and nothing of this package. Its arguments are

    DIRECTORY LOG_LIMIT GRACE COMMAND [ARGUMENT ...]

In DIRECTORY it holds `lock` for its whole life, claims the attempt by creating `claim`, and writes
`start.json` before the command can run and `exit.json` after it ended. The command's output goes
to `log.txt`, cut at LOG_LIMIT bytes. On SIGTERM it passes the signal to the command's process
group and kills the group after GRACE seconds. Exit status: 0 once `exit.json` is there, 75 where
another shim has claimed the attempt, 76 where the directory is gone.
"""

# Importing pathlib and contextlib would cost more time than the shim's own work.
# ruff: noqa: PTH104, PTH110, PTH118, PTH123, PERF203, SIM105, UP031

from __future__ import annotations

import errno
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn
else:
    import _signal as signal  # `signal` itself takes 5 ms to import, for its enums

ALREADY_CLAIMED = 75
NO_DIRECTORY = 76
LOG_MARKER = b"\n[The log reached its limit and ends here; the task went on.]\n"


def boot_identity() -> str:
    """What names this boot of the machine, and of the container: both end every process.

    The part before the slash is the machine's, the part after it is process 1's start time.
    """
    if os.path.exists("/proc/self/stat"):
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read().strip()
        return boot + "/" + process_start(1)
    with os.popen("/usr/sbin/sysctl -n kern.bootsessionuuid") as pipe:  # noqa: S605
        return pipe.read().strip() + "/"


def process_start(pid: int) -> str:
    """When the process began, so that a reused pid is not taken for it; "" if there is none."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[19]
    except OSError:
        if os.path.exists("/proc/self/stat"):
            return ""
    with os.popen("/bin/ps -o lstart= -p %d" % pid) as pipe:  # noqa: S605
        return pipe.read().strip()


def write_whole(path: str, text: str) -> None:
    """Writes a file so that it is either absent or complete, after a power cut too."""
    temporary = path + ".tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(temporary, path)


def oom_kills() -> int:
    """How many processes of this control group the kernel has killed for memory so far."""
    candidates = []
    try:
        with open("/proc/self/cgroup") as file:
            for line in file:
                _, controllers, group = line.rstrip("\n").split(":", 2)
                if not controllers:
                    candidates.append("/sys/fs/cgroup" + group + "/memory.events")
                elif "memory" in controllers.split(","):
                    candidates.append("/sys/fs/cgroup/memory" + group + "/memory.oom_control")
    except OSError:
        return 0
    for path in [*candidates, "/sys/fs/cgroup/memory.events", "/proc/vmstat"]:
        try:
            with open(path) as file:
                for line in file:
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        except OSError:
            continue
    return 0


_passed = 0  # how often the place where a test has this process die


def crash_point(name: str) -> None:
    """Dies as from SIGKILL where a test asks for it: at `name`, at `name:3` the third time."""
    global _passed
    place, _, turn = os.environ.get("JUPYTERLAB_PIPELINES_CRASH_AT", "").partition(":")
    if place == name:
        _passed += 1
        if _passed == int(turn or 1):
            os.kill(os.getpid(), signal.SIGKILL)


def claim(directory: str) -> bool:
    """Takes the lock for the rest of this process's life and claims the attempt; once, for all.

    Whoever probes the lock holds it for an instant only, so a short wait is enough.
    """
    import fcntl

    lock = os.open(os.path.join(directory, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
    path = os.path.join(directory, "claim")
    while not os.path.exists(path):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            crash_point("shim-after-lock")
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            crash_point("shim-after-claim")
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            time.sleep(0.002)
        else:
            return True
    return False


class Shim:
    """One attempt: its log, its process group and its timers."""

    def __init__(self, directory: str, log_limit: int, grace: float) -> None:
        self.directory = directory
        self.log_limit = log_limit
        self.grace = grace
        self.group = 0
        self.stopped = False
        self.kill_at = 0.0
        self.tick = 0.25
        flags = os.O_RDWR | os.O_CREAT
        self.log = os.open(os.path.join(directory, "log.txt"), flags | os.O_APPEND, 0o600)
        self.cutter = os.open(os.path.join(directory, "log.txt"), flags, 0o600)
        self.seen = os.fstat(self.log).st_size

    def run(self) -> bool:
        """Starts the command's process, waits for its end and writes both files.

        True in that process, which is to turn into the command; false in the shim's own.
        """
        kills = oom_kills()
        gate, opener = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(opener)
            self._pass(gate)
            return True
        os.close(gate)
        self.group = child
        try:
            os.setpgid(child, child)
        except OSError:
            pass  # the child did it first
        self._write_start(child)
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGALRM, self._on_tick)
        signal.setitimer(signal.ITIMER_REAL, self.tick)
        crash_point("shim-before-command")
        os.write(opener, b"g")  # from here on the command runs
        os.close(opener)
        crash_point("shim-while-running")
        _, status = os.waitpid(child, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._kill_group(signal.SIGKILL)  # what the command left in the background
        self._cut_log()
        crash_point("shim-before-exit")
        self._write_exit(status, oom_kills() > kills)
        return False

    def _pass(self, gate: int) -> None:
        """In the child: waits until start.json is written; the log is its output from then on."""
        try:
            os.setpgid(0, 0)
            if os.read(gate, 1) != b"g":
                os._exit(1)  # the shim died first: nobody would know of this process
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.dup2(self.log, 1)
            os.dup2(self.log, 2)
            for number in (
                signal.SIGPIPE,
                signal.SIGINT,
                signal.SIGHUP,
                signal.SIGTERM,
                signal.SIGXFSZ,
            ):
                signal.signal(number, signal.SIG_DFL)
        except OSError:
            os._exit(127)

    def _write_start(self, child: int) -> None:
        pid = os.getpid()
        text = '{"pid": %d, "start": "%s", "group": %d, "group_start": "%s", "boot": "%s"}' % (
            pid, process_start(pid), child, process_start(child), boot_identity(),
        )  # fmt: skip
        write_whole(os.path.join(self.directory, "start.json"), text)

    def _write_exit(self, status: int, short_of_memory: bool) -> None:
        """`short_of_memory`: the kernel has killed something for it, perhaps the command."""
        killed = os.WIFSIGNALED(status)
        number = os.WTERMSIG(status) if killed else os.WEXITSTATUS(status) - 128
        text = '{"code": %s, "signal": %s, "stopped": %s, "out_of_memory": %s, "at": %d}' % (
            "null" if killed else os.WEXITSTATUS(status),
            os.WTERMSIG(status) if killed else "null",
            "true" if self.stopped else "false",
            "true" if short_of_memory and number == signal.SIGKILL else "false",
            time.time_ns() // 1000,
        )
        path = os.path.join(self.directory, "exit.json")
        while True:
            try:
                return write_whole(path, text)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                time.sleep(0.5)  # a full disk: the outcome waits here until there is space

    def _kill_group(self, number: int) -> None:
        try:
            os.killpg(self.group, number)
        except OSError:
            pass  # nobody is left

    def _on_stop(self, number: int, frame: object) -> None:
        if not self.stopped:
            self.stopped = True
            self.kill_at = time.monotonic() + self.grace
            self._kill_group(signal.SIGTERM)
            signal.setitimer(signal.ITIMER_REAL, self.tick)

    def _on_tick(self, number: int, frame: object) -> None:
        """Keeps the log within its limit, looking oftener while it grows fast."""
        size = os.fstat(self.log).st_size
        self.tick = 0.02 if size - self.seen > 1 << 20 else 0.25
        self.seen = self._cut_log()
        delay = self.tick
        if self.kill_at:
            left = self.kill_at - time.monotonic()
            if left <= 0:
                self._kill_group(signal.SIGKILL)
            delay = min(self.tick, max(left, 0.01))
        signal.setitimer(signal.ITIMER_REAL, delay)

    def _cut_log(self) -> int:
        """Puts the marker at the limit and drops what lies behind it; the size it leaves."""
        size = os.fstat(self.log).st_size
        if size <= self.log_limit + len(LOG_MARKER):
            return size
        os.pwrite(self.cutter, LOG_MARKER, self.log_limit)
        os.ftruncate(self.cutter, self.log_limit + len(LOG_MARKER))
        return self.log_limit + len(LOG_MARKER)


def attend(directory: str, log_limit: int, grace: float) -> int | None:
    """Claims the attempt and sees to it; the shim's exit status.

    Null in the command's process, which is to turn into the command.
    """
    os.setpgid(0, 0)  # what is done to its supervisor's group is not meant for it
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # until there is something to stop
    try:
        if not claim(directory):
            return ALREADY_CLAIMED
    except FileNotFoundError:
        return NO_DIRECTORY
    return None if Shim(directory, log_limit, grace).run() else 0


def main(arguments: list[str]) -> int:
    """Runs the arguments above; the exit status."""
    status = attend(arguments[0], int(arguments[1]), float(arguments[2]))
    if status is None:
        turn_into(arguments[3:])
    return status


def turn_into(command: list[str]) -> NoReturn:
    """Runs the command in this process, in place of what runs now."""
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        text = "Cannot start %s: %s\n" % (command[0], os.strerror(error.errno or 0))
        os.write(2, text.encode())
    finally:
        os._exit(127)
