package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// metrics in the order of the tables.
var metrics = []struct{ name, title string }{
	{"rate", "a second"},
	{"cpu", "processor ms each"},
	{"memory", "memory, PSS in MB"},
	{"peak", "at once"},
	{"calls", "system calls each"},
	{"syncs", "syncs each"},
}

// report prints the tables and, if there is a folder for it, writes them and the
// plots.
func (c *config) report(all figures, there []string) error {
	var b strings.Builder
	writeTables(&b, all, there)
	writeFull(&b, all, c.inQueue)
	writeBar(&b, all, c.inQueue)
	fmt.Print(b.String())
	if c.out == "" {
		return nil
	}
	if err := os.MkdirAll(c.out, 0o755); err != nil {
		return err
	}
	head := "# Figures\n\nWritten by `make bench`; [performance.md](../performance.md) says what they mean.\n" + machine(c) + "\n"
	if err := os.WriteFile(filepath.Join(c.out, "figures.md"), []byte(head+b.String()), 0o644); err != nil {
		return err
	}
	for _, w := range works {
		metric := "rate"
		if w.unit == "" {
			metric = "memory"
		}
		p := plotOf(all, w, metric, there)
		if len(p.bars) < 2 {
			continue
		}
		if err := os.WriteFile(filepath.Join(c.out, w.name+".svg"), []byte(p.svg()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// machine says what was measured where, and how busy that was with other things.
func machine(c *config) string {
	load, _ := os.ReadFile("/proc/loadavg")
	model := "unknown processor"
	cpuinfo, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(cpuinfo)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	return fmt.Sprintf("\n%s, %d processors of %s, load average at the end %s; %d rounds of %d messages of 4 KB, lists of %d\n",
		time.Now().UTC().Format("2006-01-02 15:04 UTC"), runtime.NumCPU(), model,
		strings.Join(strings.Fields(string(load))[:3], " "), c.rounds, c.messages, c.recipients)
}

// writeTables writes a table for each work: a line for each system, with the median
// and in brackets the lowest and the highest, and how many times that of a system
// ours is.
func writeTables(w io.Writer, all figures, there []string) {
	for _, work := range works {
		var columns []int
		for i, m := range metrics {
			if slices.ContainsFunc(there, func(name string) bool { _, ok := all.spread(name, work.name, m.name); return ok }) {
				columns = append(columns, i)
			}
		}
		if len(columns) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s: %s\n\n| |", work.name, work.title)
		for _, i := range columns {
			title := metrics[i].title
			if title == "a second" {
				title = work.unit + " a second"
			}
			fmt.Fprintf(w, " %s |", title)
		}
		fmt.Fprintf(w, " ours to this |\n|%s\n", strings.Repeat(" --- |", len(columns)+2))
		for _, name := range there {
			writeLine(w, all, work, name, columns)
		}
	}
}

func writeLine(w io.Writer, all figures, work work, name string, columns []int) {
	var cells []string
	found := false
	for _, i := range columns {
		s, ok := all.spread(name, work.name, metrics[i].name)
		if !ok {
			cells = append(cells, "-")
			continue
		}
		cells, found = append(cells, s.String()), true
	}
	if !found {
		return
	}
	first := metrics[columns[0]].name
	ours, _ := all.spread(systems[0].name, work.name, first)
	theirs, _ := all.spread(name, work.name, first)
	fmt.Fprintf(w, "| %s | %s | %s |\n", name, strings.Join(cells, " | "), ratio(ours, theirs))
}
