package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// profiledWorks are those under which the programs are profiled.
var profiledWorks = []string{"local", "relay", "list"}

// profileRuns is how often a work is done for one profile.
const profileRuns = 5

// writeProfiles builds the programs anew, so that they write profiles, has them do
// works, and prints where each program that stays spends its processor time. The
// profiles stay in c.profile, as WORK/PROGRAM.pprof.
func (c *config) writeProfiles(ctx context.Context) error {
	if os.Getuid() != 0 {
		return errors.New("profiles need root")
	}
	folder, err := filepath.Abs(c.profile)
	if err != nil {
		return err
	}
	bin := filepath.Join(folder, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-tags", "profile", "-trimpath", "-o", bin+"/", "./cmd/...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	scratch, err := c.folder()
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	for _, work := range profiledWorks {
		into := filepath.Join(folder, work)
		if err := errors.Join(os.RemoveAll(into), os.Mkdir(into, 0o755), os.Chmod(into, 0o777)); err != nil {
			return err
		}
		o := order{System: systems[0].name, Bin: bin, Peers: c.peers, Scratch: scratch, Messages: c.messages, Recipients: c.recipients, Profile: into}
		for range profileRuns {
			o.Works = append(o.Works, work)
		}
		if err := measure(ctx, o, func(sample) {}); err != nil {
			return err
		}
		if err := printProfiles(ctx, work, into); err != nil {
			return err
		}
	}
	return nil
}

// printProfiles joins the profiles of each program and prints the tops.
func printProfiles(ctx context.Context, work, folder string) error {
	parts := map[string][]string{}
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, f := range files {
		name := filepath.Join(folder, f.Name())
		if st, err := f.Info(); err == nil && st.Size() > 0 {
			program, _, _ := strings.Cut(f.Name(), ".")
			parts[program] = append(parts[program], name)
		}
	}
	used := map[string]time.Duration{}
	for _, f := range slices.Sorted(maps.Keys(parts)) {
		whole := filepath.Join(folder, f+".pprof")
		if err := exec.CommandContext(ctx, "go", append([]string{"tool", "pprof", "-proto", "-output", whole}, parts[f]...)...).Run(); err != nil {
			return fmt.Errorf("go tool pprof: %w", err)
		}
		for _, part := range parts[f] {
			os.Remove(part)
		}
		top, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-cum", "-nodecount", "20", "-show", profileShows, "-hide", profileHides, whole).Output()
		if err != nil {
			return fmt.Errorf("go tool pprof: %w", err)
		}
		used[f] = samplesIn(string(top))
		fmt.Printf("\n%s, %s\n", work, f)
		for line := range strings.Lines(string(top)) {
			if fields := strings.Fields(line); len(fields) > 5 && strings.HasSuffix(fields[4], "%") || strings.HasPrefix(line, "Duration") {
				fmt.Print(line)
			}
		}
	}
	printShares(work, used)
	return nil
}

// samplesIn is the processor time that pprof says it has seen: in a line such as
// "Duration: 9.72s, Total samples = 470ms ( 4.84%)".
func samplesIn(top string) time.Duration {
	_, rest, _ := strings.Cut(top, "Total samples = ")
	word, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	d, _ := time.ParseDuration(strings.Replace(word, "mins", "m", 1))
	return d
}

// printShares says how much of the processor time of all programs that stay each
// has used.
func printShares(work string, used map[string]time.Duration) {
	all := time.Duration(0)
	for _, d := range used {
		all += d
	}
	fmt.Printf("\n%s: %.1f s of processor time in all\n\n| program | of all |\n| --- | --- |\n", work, all.Seconds())
	for _, f := range slices.Sorted(maps.Keys(used)) {
		fmt.Printf("| %s | %.0f%% |\n", f, 100*used[f].Seconds()/max(all.Seconds(), 0.001))
	}
}

// The functions that tell something are our own, and system calls by their names.
const (
	profileShows = `^goqmail/|^main\.|^syscall\.[A-Z]|^golang\.org/x/sys/unix\.[A-Z]|^runtime\.(gcBgMarkWorker|schedule|mallocgc)$`
	profileHides = `durable\.retry|durable\.open\b|\.func[0-9]|syscall\.(Raw)?Syscall6?$|exitcode\.Main|^main\.(main|run)$|Together|WaitGroup`
)

// endAll has the system end by itself, as its programs write their profiles then.
func (h *host) endAll() error {
	for _, pid := range h.processes() {
		name, _ := os.ReadFile("/proc/" + pid + "/comm")
		switch strings.TrimSpace(string(name)) {
		case "qmail-send", "qmail-smtpd":
			kill(pid, syscall.SIGTERM)
		}
	}
	for range 300 {
		reap()
		if len(h.processes()) == 0 {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("the system does not end")
}
