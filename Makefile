# Tallystick: `make run` tries it, `make test` proves it.
SHELL := /bin/bash
GO ?= go
BIN := bin/tallystick
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tallystick
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
FUZZTIME ?= 20s

# No C compiler is needed, and gin's MessagePack, which nothing here speaks, takes
# as long to compile as the whole of our own code. What is built here is not debugged.
export CGO_ENABLED := 0
export GOFLAGS := -tags=nomsgpack -gcflags=all=-dwarf=false $(GOFLAGS)

.DEFAULT_GOAL := help
.PHONY: help fetch build run test test-race lint vet fmt generate fuzz eval bench integration faults up clean

help: ## Show the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

fetch: ## Fetch libchdb and the country table once per user, pinned and checked
	@scripts/fetch.sh

build: ## Build bin/tallystick
	@$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/tallystick

run: fetch build ## Start everything embedded with a living demo on http://127.0.0.1:8080
	@$(BIN) run --demo --data demo

test: ## Run every test that needs no installed server
	@scripts/fetch.sh & fetch=$$!; GOGC=off GOMEMLIMIT=1GiB $(GO) build ./services && wait $$fetch && \
	GOGC=400 GOTMPDIR=$${TMPDIR:-/tmp} TMPDIR=$$(scripts/testdir.sh) $(GO) test -vet=off -p 4 ./services/auditor ./services ./cmd/tallystick ./... # the longest first: the others run beside them

test-race: fetch ## The same under the race detector
	@CGO_ENABLED=1 $(GO) test -race ./...

vet: ## Let the compiler's own checks look at everything
	@$(GO) vet ./... && $(GO) vet -tags nomsgpack,integration,faults ./...

lint: vet ## Format, vet, staticcheck, licences, vulnerabilities
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'error: not formatted'; echo 'hint: make fmt'; exit 1; }
	@$(GO) tool staticcheck ./...
	@scripts/licences.sh
	@scripts/govulncheck.sh

fmt: ## Format the code
	@gofmt -w $$(git ls-files '*.go')

generate: ## Write the generated reference pages under docs/reference
	@$(GO) test ./cmd/tallystick -run TestReferencePages -update

fuzz: ## Fuzz every target for FUZZTIME each
	@scripts/fuzz.sh $(FUZZTIME)

eval: ## Print precision and recall of each detector on the labelled corpora
	@$(GO) run ./internal/bench/evaluate

bench: build fetch ## Measure the pipeline and its parts
	@scripts/bench.sh

integration: build fetch ## Run the tests that need proxies, Kafka, Chromium: installs what is missing
	@scripts/integration.sh

faults: fetch build ## Kill the processes 200 times under load: SEED= FROM= UNTIL= go on where one ended
	@$(GO) test -tags nomsgpack,faults -count=1 -timeout 0 -v -run Fault ./faults/

up: ## Start the split deployment with Docker
	docker compose up

clean: ## Remove what was built and the demo's data
	rm -rf bin demo
