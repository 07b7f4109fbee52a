"""faulty - a server whose disk fails, or takes its time, on demand."""

import os

from harness import Server


class FaultyServer(Server):
    """A server whose disk does what the file `fault` says (fault.c)."""

    def start(self, *wrap):
        library = os.path.join(os.path.dirname(self.program), "..", "tests", "e2e", "libfault.so")
        # In DATA: elsewhere the sandbox lets nobody remove it.
        self.fault_file = os.path.join(self.folder, "data", "fault")
        # A sanitizer wants to be the first library; behind this one it works as well.
        options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        super().start("env", f"LD_PRELOAD={os.path.abspath(library)}",
                      f"GODWIT_FAULT={self.fault_file}", f"ASAN_OPTIONS={options}", *wrap)

    def fault(self, word):
        with open(self.fault_file + ".new", "w", encoding="ascii") as file:
            file.write(word)
        os.rename(self.fault_file + ".new", self.fault_file)

    def fault_happened(self):
        return not os.path.exists(self.fault_file)
