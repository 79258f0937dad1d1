// Bench measures the system as its users meet it: whole programs, real files, all
// syncs; and beside it, in turn, the other mail systems that are there. Run it by
//
//	make bench
//
// on a machine that does nothing else, as root: each system then runs on a host of
// its own, in name spaces, as in production. doc/performance.md says what is
// measured and what for. An ordinary user measures start-up and full queues only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// config is what to measure.
type config struct {
	bin, peers, scratch, out string
	systems, works, sizes    string
	rounds, starts           int
	messages, recipients     int
	toDomains                int
	atOnce, traced           int
	inQueue, split           int
	volume, profile          string
	limit                    time.Duration
}

func main() {
	if what := os.Getenv(apart); what != "" {
		os.Unsetenv(apart)
		exit(inside(what))
	}
	var names, loads []string
	for _, s := range systems {
		names = append(names, s.name)
	}
	for _, w := range works[:len(works)-1] {
		loads = append(loads, w.name)
	}
	var c config
	flag.StringVar(&c.bin, "bin", "bin", "`folder` of the programs")
	flag.StringVar(&c.peers, "peers", peersFolder(), "`folder` that peers are unpacked in, a folder each")
	flag.StringVar(&c.scratch, "scratch", "run", "`folder` for queues and mailboxes, on the disk to measure")
	flag.StringVar(&c.out, "out", "", "`folder` for tables and plots, such as doc/performance; none without")
	flag.StringVar(&c.systems, "systems", strings.Join(names, ","), "`names` of systems, with commas")
	flag.StringVar(&c.works, "works", strings.Join(loads, ","), "`names` of works, with commas")
	flag.IntVar(&c.inQueue, "queue", 1000000, "`number` of messages in a full queue; 0: none")
	flag.StringVar(&c.volume, "volume", "", "`file` with a full queue that an earlier run was stopped with")
	flag.IntVar(&c.split, "split", 23, "`number` of folders that it is split into")
	flag.StringVar(&c.sizes, "sizes", "", "`sizes` of queues that qmail-send finds, with commas, for an ordinary user")
	flag.StringVar(&c.profile, "profile", "", "only profile our programs, into this `folder`")
	flag.IntVar(&c.rounds, "rounds", 3, "`number` of rounds, of which the median counts")
	flag.IntVar(&c.starts, "starts", 300, "`number` of starts of each program; 0: none")
	flag.IntVar(&c.messages, "messages", 3000, "`number` of messages of a work in one round, at the most")
	flag.DurationVar(&c.limit, "limit", 5*time.Second, "`time` in which they are submitted, at the most; 0: any")
	flag.IntVar(&c.toDomains, "domains", 10000, "`number` of messages to 200 domains")
	flag.IntVar(&c.recipients, "recipients", 3000, "`number` of recipients of a list")
	flag.IntVar(&c.atOnce, "atonce", 5000, "`number` of remote deliveries at once; 0: none")
	flag.IntVar(&c.traced, "traced", 300, "`number` of messages whose system calls are counted; 0: none")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	exit(c.run(ctx))
}

func exit(err error) {
	switch {
	case errors.Is(err, errNoHost):
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(exitNoHost)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// peersFolder is where test/peers has them.
func peersFolder() string {
	if folder := os.Getenv("GOQMAIL_PEERS"); folder != "" {
		return folder
	}
	return "/var/cache/goqmail-peers"
}

func (c *config) run(ctx context.Context) error {
	for _, name := range []*string{&c.bin, &c.peers, &c.scratch} {
		var err error
		if *name, err = filepath.Abs(*name); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(c.scratch, 0o755); err != nil {
		return err
	}
	if c.profile != "" {
		return c.writeProfiles(ctx)
	}
	if os.Getuid() != 0 {
		fmt.Println("Only root can have hosts of its own: the systems are not compared.")
	} else if err := c.compare(ctx); err != nil {
		return err
	}
	return c.alone()
}

// compare measures the systems, one after the other, round by round.
func (c *config) compare(ctx context.Context) error {
	var there []string
	for name := range words(c.systems) {
		if why := missing(c.peers, name); why != "" {
			fmt.Fprintf(os.Stderr, "bench: no %s: %s\n", name, why)
			continue
		}
		there = append(there, name)
	}
	scratch, err := c.folder()
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	all := figures{}
	works := slices.Collect(words(c.works))
	few, usual := divide(works)
	o := order{Works: usual, Bin: c.bin, Peers: c.peers, Scratch: scratch, Messages: c.messages, Limit: c.limit, ToDomains: c.toDomains, Recipients: c.recipients}
	failed := map[string]bool{}
	try := func(name, part string, o order) {
		if len(o.Works) == 0 {
			return
		}
		o.System = name
		what := strings.TrimSpace(name + " " + part)
		if failed[what] || ctx.Err() != nil {
			return
		}
		begun := time.Now()
		err := measure(ctx, o, all.add)
		fmt.Fprintf(os.Stderr, "%s: %.0f s\n", what, time.Since(begun).Seconds())
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s is left out from here on: %v\n", what, err)
			failed[what] = true
		}
	}
	for range c.rounds {
		for _, name := range there {
			try(name, "", o)
		}
		if slices.Contains(there, systems[0].name) {
			other := o
			other.Works, other.Places = few, fewPlaces
			try(systems[0].name, "with few places", other)
		}
		if c.atOnce > 0 && slices.Contains(there, systems[0].name) {
			many := o
			many.Works, many.AtOnce, many.Places = []string{"atonce"}, c.atOnce, c.atOnce
			try(systems[0].name, "many at once", many)
		}
	}
	if _, err := exec.LookPath("strace"); err != nil {
		fmt.Fprintln(os.Stderr, "bench: no strace: system calls are not counted")
	} else if c.traced > 0 {
		o.Trace, o.Messages, o.Recipients = true, c.traced, c.traced
		o.Works = slices.DeleteFunc(works, func(w string) bool {
			return !slices.Contains([]string{"local", "relay", "sendmail", "verp", "list"}, w)
		})
		for _, name := range there {
			try(name, "traced", o)
		}
	}
	if c.inQueue > 0 && ctx.Err() == nil && slices.Contains(there, systems[0].name) {
		if err := c.full(ctx, all.add); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			failed["full queue"] = true
		}
	}
	if err := c.report(all, there); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errors.New("stopped: the figures are those of what was measured before")
	}
	if what := slices.Sorted(maps.Keys(failed)); len(what) > 0 {
		return fmt.Errorf("not measured whole: %s", strings.Join(what, ", "))
	}
	return nil
}

// fewPlaces are less than the messages to hosts that never answer.
const fewPlaces = 120

// divide divides works into those that are about hosts which take all places if they can, and
// the others.
func divide(works []string) (few, usual []string) {
	for _, name := range works {
		if name == "alive" || name == "dead" {
			few = append(few, name)
		} else {
			usual = append(usual, name)
		}
	}
	return few, usual
}

// folder makes one for what is measured in turn, to be removed when all was.
func (c *config) folder() (string, error) {
	folder, err := os.MkdirTemp(c.scratch, "bench")
	if err != nil {
		return "", err
	}
	return folder, os.Chmod(folder, 0o755)
}

// alone measures what there is nothing to compare with, in a private home.
func (c *config) alone() error {
	var queues []int
	for size := range words(c.sizes) {
		n, err := strconv.Atoi(size)
		if err != nil {
			return err
		}
		queues = append(queues, n)
	}
	top, err := c.folder()
	if err != nil {
		return err
	}
	defer os.RemoveAll(top)
	h, err := newHome(filepath.Join(top, "home"), c.bin)
	if err != nil {
		return err
	}
	if c.starts > 0 {
		nothing, err := buildNothing(top)
		if err != nil {
			return err
		}
		if err := h.startUp(nothing, c.starts); err != nil {
			return err
		}
	}
	if len(queues) == 0 {
		return nil
	}
	return h.fullQueue(queues)
}

// words are those between commas; there are none in an empty list.
func words(list string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for word := range strings.SplitSeq(list, ",") {
			if word != "" && !yield(word) {
				return
			}
		}
	}
}

// buildNothing builds a Go program that does nothing, to compare with.
func buildNothing(dir string) (program string, err error) {
	source := filepath.Join(dir, "nothing.go")
	program = filepath.Join(dir, "nothing")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return program, os.Chmod(program, 0o755)
}
