// Bench measures the system as its users meet it: whole programs, real files, all
// syncs. It prints medians, and what they are compared with. Run it by
//
//	make bench
//
// on a machine that does nothing else. Root runs the system as nobody.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

func main() {
	bin := flag.String("bin", "bin", "`folder` of the programs")
	messages := flag.Int("messages", 2000, "`number` of messages in one round")
	rounds := flag.Int("rounds", 3, "`number` of rounds, of which the median counts")
	starts := flag.Int("starts", 300, "`number` of starts of each program")
	sizes := flag.String("queue", "1000,10000", "`sizes` of queues that qmail-send finds, with commas")
	flag.Parse()
	if err := run(*bin, *messages, *rounds, *starts, *sizes); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(bin string, messages, rounds, starts int, sizes string) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	var queues []int
	for size := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil {
			return err
		}
		queues = append(queues, n)
	}
	top, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(top)
	if err := os.Chmod(top, 0o755); err != nil {
		return err
	}
	h, err := newHome(filepath.Join(top, "home"), bin)
	if err != nil {
		return err
	}
	nothing, err := buildNothing(top)
	if err != nil {
		return err
	}
	if err := h.startUp(nothing, starts); err != nil {
		return err
	}
	if err := h.injectToMaildir(messages, rounds); err != nil {
		return err
	}
	return h.fullQueue(queues)
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
