"""What is said of a process that dies in a plugin, where the disk does not even take the note."""

import subprocess
import sys

NOTE = """
import resource
from saferec_core.plugins.last_words import at_work, say_at_a_crash
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
say_at_a_crash(2)
with at_work("reward 'mood' of acme 1.0"):
    print("worked")
"""


def test_a_disk_that_takes_a_part_of_the_note_does_not_end_the_work():
    done = subprocess.run([sys.executable, "-c", NOTE], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("worked\n", "")
