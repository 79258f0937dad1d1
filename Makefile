# make help lists what there is to make.

QMAIL       = /var/qmail
PREFIX      = /usr/local
MAILER      = true
BIN         = bin
FUZZTIME    = 10s
STATICCHECK = v0.8.2

export CGO_ENABLED = 0

tools = .tools/staticcheck-$(STATICCHECK)
build = go build -trimpath -buildvcs=false \
	-ldflags '-s -w -buildid= -X goqmail/internal/home.Built=$(QMAIL)'
unit  = -skip '^TestRecordedCases$$'
cases = go run ./test/conformance/cmd/conformance -except test/conformance-differences.txt

installed = -home '$(QMAIL)' -packaging packaging -prefix '$(PREFIX)' -mailer=$(MAILER) \
	$(if $(MANDIR),-mandir '$(MANDIR)') $(if $(DESTDIR),-dest '$(DESTDIR)')

all: go ## every program into bin/ (QMAIL=/other/home: for another home)
	$(build) -o bin/ ./cmd/...

# Root may have no Go, and what was built before will do then.
install: ## as root: the system on this host (PREFIX=/usr/local MANDIR= DESTDIR= HOST=name MAILER=false)
	@if command -v go >/dev/null; then $(MAKE) --no-print-directory all; fi
	@[ -x bin/qmail-install ] || { echo 'missing: bin/ (make, as an ordinary user)' >&2; exit 1; }
	@bin/qmail-install -bin bin -man man $(installed) $(if $(HOST),-name '$(HOST)')

uninstall: ## as root: take away programs and links; mail, queue and settings stay
	@bin/qmail-install -remove -man man $(installed)

deb: all ## a Debian package, below run/deb
	@command -v dpkg-deb >/dev/null || { echo 'missing: dpkg-deb (the package dpkg)' >&2; exit 1; }
	@packaging/deb/build run/deb

test: all ## build, then run every test; as root those too that need it
	@status=0; \
	$(MAKE) --no-print-directory unit || status=1; \
	$(MAKE) --no-print-directory conformance BIN=bin || status=1; \
	exit $$status

unit: all ## the tests without the recorded cases (SHORT=-short: nor those that take minutes)
	Q_BIN=$(CURDIR)/bin go test $(unit) $(SHORT) ./...

conformance: go ## judge the programs in BIN (bin/) by the recorded cases
	@[ $(BIN) != bin ] || $(MAKE) --no-print-directory all
	@$(cases) -bin $(BIN) test/conformance/cases/*.json

run: all ## the whole system in the foreground, in a home below run/, for you alone
	@bin/qmail-try -home run/home

bench: all ## as root: figures side by side with other mail systems (BENCH=-help), into doc/performance
	@go run ./test/bench -bin bin -out doc/performance $(BENCH)

race: go ## the tests under the race detector, but for those of whole programs, which are built without it
	@command -v gcc >/dev/null || { echo 'missing: gcc (apt-get install gcc libc6-dev)' >&2; exit 1; }
	CGO_ENABLED=1 go test -race $(unit) $$(go list ./... | grep -vE '/test/(callers|chaos|install|dns|faults|hostile|load|peers|powercut|privileges|system|targets)$$')

fuzz: go ## each fuzz target for FUZZTIME (10s)
	@for p in $$(go list ./...); do \
		for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz'); do \
			echo "$$p $$f"; \
			go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
		done; \
	done

# Tests whose child processes complain that they lose their figures fail here.
cover: all ## what the tests and the recorded cases reach, with run/cover for files
	rm -rf run/cover && mkdir -p run/cover/bin run/cover/unit run/cover/cases
	go build -cover -coverpkg=./... -o run/cover/bin/ ./cmd/...
	-Q_BIN=$(CURDIR)/bin go test -cover -coverpkg=./... $$(go list ./... | grep -v /test/) \
		-args -test.gocoverdir=$(CURDIR)/run/cover/unit >run/cover/unit.log 2>&1
	GOCOVERDIR=$(CURDIR)/run/cover/cases $(cases) -bin run/cover/bin test/conformance/cases/*.json | tail -n 1
	go tool covdata percent -i=run/cover/unit,run/cover/cases

lint: go $(tools) ## gofmt, vet, staticcheck, go.mod, man pages, white space
	test/lint $(tools)

$(tools): | go
	GOBIN=$(CURDIR)/.tools go install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK)
	mv .tools/staticcheck $@

pictures: go ## the pictures of doc/pictures from their texts
	@go run ./doc/pictures doc/pictures

reproducible: all ## build once more, elsewhere, and compare
	test/reproducible $(QMAIL)

clean: ## remove what was built
	rm -rf bin .tools run/cover

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

go:
	@missing=; \
	command -v go >/dev/null || missing="$$missing golang-go"; \
	command -v git >/dev/null || missing="$$missing git"; \
	if [ "$$missing" ]; then echo "missing: apt-get install$$missing" >&2; exit 1; fi; \
	go list -m >/dev/null || { \
		echo "missing: Go $$(sed -n 's/^go //p' go.mod) or newer: the package golang-go, if need be" \
			"from the backports of your release, or https://go.dev/dl" >&2; exit 1; }

.PHONY: all install uninstall deb pictures test unit conformance race fuzz cover lint reproducible clean help go
