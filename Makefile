# Everything from a fresh machine with one word. Beneath it are scripts/bootstrap and CMake presets.

PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
TQ = build/release/apps/tq/tq

.PHONY: help demo build test bench install format format-check asan tsan clean bootstrap

help:
	@echo 'make demo          a model answers a prompt twice: plainly, and by Transfer Q*'
	@echo 'make build         compile the command: $(TQ)'
	@echo 'make test          all tests, then the unit tests under the sanitizers'
	@echo 'make bench         seconds a token, decoder by decoder'
	@echo 'make install       to PREFIX=$(PREFIX); DESTDIR is respected'
	@echo 'make asan, tsan    the unit tests under one sanitizer'
	@echo 'make format        lay out the sources by .clang-format; format-check only looks'
	@echo 'make clean         remove build/ (what was downloaded stays in the cache)'
	@echo
	@echo 'The first run sets the machine up: see scripts/bootstrap. JOBS=$(JOBS) compilers run at once.'

bootstrap:
	@scripts/bootstrap

# configure NAME: CMake's chatter is only of interest when it fails.
configure = @mkdir -p build && cmake --preset $(1) > build/$(1).log 2>&1 || { cat build/$(1).log >&2; exit 1; }

build: bootstrap
	$(call configure,release)
	@cmake --build --preset release --target tq --parallel $(JOBS)

demo: build
	@scripts/demo

test:
	@scripts/bootstrap --tests
	$(call configure,release)
	@cmake --build --preset release --parallel $(JOBS)
	@ctest --preset release --parallel $(JOBS)
	@$(MAKE) --no-print-directory asan
	@$(MAKE) --no-print-directory tsan

asan: bootstrap
	$(call configure,asan)
	@cmake --build --preset asan --parallel $(JOBS)
	@ctest --preset asan --parallel $(JOBS)

# The thread sanitizer of older compilers dies where the kernel randomises addresses widely.
tsan: bootstrap
	$(call configure,tsan)
	@cmake --build --preset tsan --parallel $(JOBS)
	@$$(setarch -R true 2> /dev/null && echo setarch -R) ctest --preset tsan --parallel $(JOBS)

bench: bootstrap
	$(call configure,release)
	@cmake --build --preset release --parallel $(JOBS)
	@scripts/bench

install: bootstrap
	$(call configure,release)
	@cmake --build --preset release --target package_files --parallel $(JOBS)
	@DESTDIR='$(DESTDIR)' cmake --install build/release --prefix '$(PREFIX)' > build/install.log

format: bootstrap
	@scripts/check-format --fix

format-check: bootstrap
	@scripts/check-format

clean:
	@rm -rf build
