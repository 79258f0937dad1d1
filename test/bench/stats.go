package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sample is one figure, measured once.
type sample struct {
	System, Work, Metric string
	Value                float64
}

// key is what the samples of a spread have in common.
type key struct{ system, work, metric string }

// figures are all samples, in the order in which they were taken.
type figures map[key][]float64

func (f figures) add(s sample) {
	k := key{s.System, s.Work, s.Metric}
	f[k] = append(f[k], s.Value)
}

// spread sums up samples.
type spread struct{ low, median, high float64 }

// spread returns none if there are no samples.
func (f figures) spread(system, work, metric string) (spread, bool) {
	values := slices.Sorted(slices.Values(f[key{system, work, metric}]))
	if len(values) == 0 {
		return spread{}, false
	}
	return spread{values[0], median(values), values[len(values)-1]}, true
}

// median is the middle value, or the mean of the two in the middle; 0 of none.
func median[T int | float64 | time.Duration](values []T) T {
	s := slices.Sorted(slices.Values(values))
	switch n := len(s); {
	case n == 0:
		return 0
	case n%2 == 0:
		return (s[n/2-1] + s[n/2]) / 2
	default:
		return s[n/2]
	}
}

// String has as many digits as the figure deserves.
func (s spread) String() string {
	if s.low == s.high {
		return digits(s.median)
	}
	return fmt.Sprintf("%s (%s-%s)", digits(s.median), digits(s.low), digits(s.high))
}

func digits(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// ratio says how many times as much as b a is.
func ratio(a, b spread) string {
	if b.median == 0 {
		return "-"
	}
	return strconv.FormatFloat(a.median/b.median, 'f', 2, 64)
}

// calls are how often system calls were done, by name.
type calls map[string]int

// parseCalls reads what strace -c -U name,calls writes: a line of the column names,
// one of dashes, then a name and a number for each call, dashes, and the total.
func parseCalls(text string) (calls, error) {
	found := calls{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 2 || strings.HasPrefix(fields[0], "---") || fields[0] == "total" || fields[0] == "syscall" || fields[1] == "total" {
			continue
		}
		n, err := strconv.Atoi(fields[1])
		if err != nil || n < 0 {
			return nil, fmt.Errorf("strace counts %q", line)
		}
		found[fields[0]] += n
	}
	return found, nil
}

// total is the number of all calls, and of those that wait for the disk. Sleeping does
// not count: while a program is traced, which makes it slow, the watcher in each Go
// program does little else.
func (c calls) total() (all, syncs int) {
	for name, n := range c {
		if name == "nanosleep" || name == "clock_nanosleep" {
			continue
		}
		all += n
		switch name {
		case "fsync", "fdatasync", "sync", "syncfs", "sync_file_range":
			syncs += n
		}
	}
	return all, syncs
}

// most are the calls that were done most often, with how often for each of so many
// messages.
func (c calls) most(count, messages int) string {
	names := make([]string, 0, len(c))
	for name := range c {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(c[b]-c[a], strings.Compare(a, b)) })
	var words []string
	for _, name := range names[:min(count, len(names))] {
		words = append(words, name+" "+digits(float64(c[name])/float64(messages)))
	}
	return strings.Join(words, ", ")
}
