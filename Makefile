# The front door.  Meson and Ninja build; these are the words for what one does most.

.PHONY: help all run test check sim deps install uninstall deb asan tsan clang bench fuzz test-peers soak \
        format tidy clean
.DEFAULT_GOAL := all

JOBS        ?= $(shell nproc 2>/dev/null || echo 2)
PREFIX      ?= /usr/local
FUZZ_TIME   ?= 60
SOAK_TIME   ?= 600
NINJA        = ninja -j$(JOBS)

# What each build folder is configured with; build/debug and build/release have nothing special.
RELEASE       = -Dbuildtype=release -Db_lto=true -Dtests=disabled
SETUP_release = $(RELEASE) -Dprefix=$(PREFIX) -Dsysconfdir=/etc
SETUP_deb     = $(RELEASE) -Dprefix=/usr -Dsysconfdir=/etc
SETUP_asan    = -Db_sanitize=address,undefined
SETUP_tsan    = -Db_sanitize=thread
SETUP_fuzz    = -Dfuzz=true -Dtests=disabled
CC_clang      = clang
SETUP_afl     = -Dbuildtype=release -Db_sanitize=none
CC_fuzz       = clang
CC_afl        = afl-clang-fast

help:
	@echo 'make            build (build/debug)'
	@echo 'make run        build, then two servers, DNS and users on loopback to try (LAB=OPTIONS)'
	@echo 'make test       everything, ends with "N passed, N failed, N skipped"'
	@echo 'make check      the fast tests and the house rules'
	@echo 'make sim        simulated worlds with crashes and faults, until stopped: docs/sim.md'
	@echo 'make deps       install what building and testing need (Debian 12; root or sudo)'
	@echo 'make install    release build into PREFIX=$(PREFIX), DESTDIR is respected'
	@echo 'make deb        a Debian package of the same, in build/'
	@echo 'make asan tsan  the tests with AddressSanitizer + UBSan, or ThreadSanitizer'
	@echo 'make clang      build and fast tests with clang'
	@echo 'make fuzz       every fuzzer for FUZZ_TIME=$(FUZZ_TIME) seconds'
	@echo 'make afl        AFL++ against the whole server in the simulated world, until stopped'
	@echo 'make fuzz-coverage  which lines of the parsers the corpora reach'
	@echo 'make bench      measurements beside other servers, see docs/performance.md'
	@echo 'make test-peers mail to and from other servers, unpacked and not installed'
	@echo 'make soak       load and kill -9 for SOAK_TIME=$(SOAK_TIME) seconds: docs/reliability.md'
	@echo 'make format     clang-format on every C file;  make tidy  clang-tidy'
	@echo 'make clean      remove build/'

all: build/debug/.built

# Configured once; what is in the file afterwards is Meson's business.
# A set-up that was interrupted is done again, and one that may need packages of a newer list.
build/%/build.ninja: AGAIN = $(if $(wildcard build/$*/meson-private/coredata.dat),--reconfigure)
build/%/build.ninja: tools/deps
	@tools/deps build $(if $(CC_$*),test)
	$(if $(CC_$*),CC=$(CC_$*)) meson setup $(AGAIN) build/$* $(SETUP_$*)

# Never a file: Ninja knows what is to be done.
build/%/.built: build/%/build.ninja FORCE
	@$(NINJA) -C build/$* --quiet
FORCE:
.PRECIOUS: build/%/build.ninja

run: all
	@build/debug/src/godwit lab $(LAB)

test:
	@tools/deps build test
	@$(MAKE) --no-print-directory all
	@tools/run-tests --build build/debug --fuzz

check: all
	@tools/run-tests --build build/debug --fast

sim: all
	@build/debug/sim/godwit-sim --swarm --fresh --forever $(SIM)

deps:
	@tools/deps build test

install: build/release/build.ninja
	@meson configure build/release $(SETUP_release)
	@$(NINJA) -C build/release --quiet
	@meson install -C build/release --no-rebuild

uninstall:
	@$(NINJA) -C build/release uninstall

deb: build/deb/.built
	@tools/deps deb
	@tools/deb build/deb build

asan tsan: %: build/%/.built
	@tools/deps test
	@tools/run-tests --build build/$@ --patience 10

clang: build/clang/.built
	@tools/run-tests --build build/clang --fast

fuzz:
	@tools/deps build test
	@$(MAKE) --no-print-directory build/fuzz/.built
	@tools/fuzz-smoke --seconds $(FUZZ_TIME)

# AFL=-i-\ -V60 and the like go to afl-fuzz.
afl:
	@tools/deps build afl
	@command -v afl-fuzz >/dev/null || { echo 'afl: no afl-fuzz: apt-get install afl++' >&2; exit 1; }
	@$(MAKE) --no-print-directory build/afl/build.ninja
	@$(NINJA) -C build/afl --quiet fuzz/fuzz_world
	@mkdir -p build/afl/found
	@tools/fuzz-smoke --unpack world
	@AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_AUTORESUME=1 afl-fuzz \
	    -i build/fuzz/unpacked/world -o build/afl/found -x fuzz/words/world.dict -t 5000 -m none $(AFL) \
	    -- build/afl/fuzz/fuzz_world

fuzz-coverage:
	@tools/deps build test
	@tools/fuzz-coverage

bench: build/release/.built
	@tools/deps bench
	@tools/peers
	@bench/run --build build/release

test-peers: all
	@tools/peers
	@tools/deps peers
	@export GODWIT=build/debug/src/godwit ROUNDS=30 SOAK_TIME=60; failed=0; \
	for suite in peers peers_sink peers_relay peers_tls peers_auth peers_agent peers_send peers_pop peers_programs peers_mutt peers_testssl peers_claws relay_crash soak; do \
	    echo "$$suite:"; python3 -B tests/e2e/$$suite.py || failed=1; \
	done; \
	echo 'rare defects:'; sim/plants --build build/debug --seeds 4000 --rare || failed=1; exit $$failed

soak: all
	@tools/peers
	@GODWIT=build/debug/src/godwit SOAK_TIME=$(SOAK_TIME) python3 -B tests/e2e/soak.py

format:
	@tools/sources | xargs clang-format -i

tidy: build/clang/build.ninja
	@tools/tidy build/clang

clean:
	rm -rf build
