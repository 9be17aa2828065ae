# billstream: `make run` shows it, `make test` proves it. Nothing but Go is
# needed for these two; .ci/run installs what the others want.

SHELL    := /bin/bash
GO       ?= go
FUZZTIME ?= 30s
BENCH    ?= --rounds 3 --events 200000 --customers 40000 --rates 50,500 --max-time 8m
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
REVISION := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS  := -X main.version=$(VERSION) -X main.revision=$(REVISION)
BIN      := bin/billstream

.DEFAULT_GOAL := help
.PHONY: help build run test race chaos kafka-test browser fuzz bench lint generate

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the binary into bin/
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/billstream

run: build ## the main job on the embedded broker: seven years of a real registry's customers
	./$(BIN) demo

test: ## the quick loop: rules, domain, codecs, components, and the whole pipeline in the process
	$(GO) vet ./...
	$(GO) test -parallel 4 ./...
	cd dashboards/internal/check && $(GO) test -count=1 ./... # its inputs lie outside the module, where the cache does not look

race: ## the component tests under the race detector
	$(GO) test -race -timeout 20m $(shell $(GO) list ./... | grep -v -e /cmd/ -e /proto/)

chaos: ## kill, freeze and cut the real program; the checker judges (BUDGET=150m for a night, SEED=n to repeat)
	$(GO) test -tags chaos -count=1 -timeout $(if $(BUDGET),24h,25m) -v ./internal/chaos | grep --line-buffered -v '^=== '; exit $${PIPESTATUS[0]}

# The tests on real Kafka are those in files of that build tag; what else is in
# their packages, `make test` has run.
KAFKA := $(shell git ls-files --cached --others --exclude-standard '*_test.go' | xargs grep -l '^//go:build.*apache')

kafka-test: ## the same promises on real Apache Kafka, one broker and three (needs a JDK and Maven; SEED and BUDGET as for chaos)
	@$(if $(strip $(KAFKA)),,echo 'error: no test needs real Kafka, want some: is this a git checkout?' >&2; exit 1)
	$(GO) test -tags apache -count=1 -p 2 -timeout $(if $(BUDGET),24h,30m) -v \
	  -run "^($$(sed -n 's/^func \(Test[A-Z][A-Za-z0-9_]*\)(t .*/\1/p' $(KAFKA) | paste -sd'|'))\$$" \
	  ./internal/chaos $(filter-out ./internal/chaos/,$(sort $(addprefix ./,$(dir $(KAFKA))))) | grep --line-buffered -v '^=== '; exit $${PIPESTATUS[0]}

browser: ## the console page in a real browser (chromium)
	$(GO) test -tags browser -count=1 ./views

fuzz: ## every fuzz target, FUZZTIME each, a time or a count such as 20000x
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1000x $$pkg; \
	  done; \
	done

bench: build ## CPU and allocations of the per-event path and of a lookup; then goka as it comes beside both guarantees
	$(GO) test -run '^$$' -bench . -benchmem ./codecs ./internal/billing ./views
	./$(BIN) bench $(BENCH)

lint: ## gofumpt, vet, staticcheck, tidy
	@out=$$($(GO) tool gofumpt -l $$(git ls-files '*.go' ':!codecs/proto')); test -z "$$out" || { echo "not formatted:"; echo "$$out"; exit 1; }
	$(GO) vet ./... && $(GO) vet -tags browser,isocodes,chaos,apache,failpoint ./...
	$(GO) tool staticcheck ./...
	$(GO) mod tidy -diff

generate: ## protobuf code and dashboards from their sources (needs protoc)
	$(GO) generate ./...
