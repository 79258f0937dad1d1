package main

import (
	"fmt"
	"io"
	"strings"
)

// requirement is a line of what the system is to reach.
type requirement struct {
	what, least string
	// measured gives the figure that is to be in bounds, and whether there is one.
	measured func(f figures) (float64, bool)
	most     bool    // the bound is an upper one
	bound    float64 // the figure itself may be
}

// requirements, in the order of the works.
func requirements(messages int) []requirement {
	times := func(what, work string, bound float64, peer, peersWork string) requirement {
		least := fmt.Sprintf("%g times %s", bound, peer)
		if bound == 1 {
			least = "above " + peer
		}
		if peersWork != work {
			least += ", " + peersWork
		}
		return requirement{what: what, least: least, bound: bound, measured: func(f figures) (float64, bool) {
			return f.quotient(systems[0].name, work, peer, peersWork, "rate")
		}}
	}
	most := func(what, work, metric string, bound float64, unit string) requirement {
		return requirement{what: what, least: fmt.Sprintf("%g %s at the most", bound, unit), most: true, bound: bound, measured: func(f figures) (float64, bool) {
			s, ok := f.spread(systems[0].name, work, metric)
			return s.median, ok
		}}
	}
	share := func(what, work, of string, bound float64) requirement {
		return requirement{what: what, least: fmt.Sprintf("%g", bound), bound: bound, measured: func(f figures) (float64, bool) {
			return f.quotient(systems[0].name, work, systems[0].name, of, "rate")
		}}
	}
	full := fmt.Sprintf("%d messages in the queue: ", messages)
	return []requirement{
		most("memory, idle", "idle", "memory", 40, "MB"),
		times("SMTP in, maildirs", "local", 3, "postfix", "local"),
		times("SMTP in, maildirs", "local", 7, "notqmail", "local"),
		times("SMTP in, SMTP out", "relay", 3, "postfix", "relay"),
		times("sendmail", "sendmail", 2, "postfix", "sendmail"),
		times("sendmail", "sendmail", 2, "notqmail", "sendmail"),
		times("list, VERP", "verp", 5, "notqmail", "verp"),
		times("list, VERP", "verp", 1, "postfix", "list"),
		times("list, no VERP", "list", 1, "exim", "list"),
		share("180 domains beside 20 that never answer, share of the rate", "dead", "alive", 0.9),
		{what: "remote deliveries at once", least: "5000", bound: 5000, measured: func(f figures) (float64, bool) {
			s, ok := f.spread(systems[0].name, "atonce", "peak")
			return s.median, ok
		}},
		most("memory then", "atonce", "memory", 400, "MB"),
		most(full+"first delivery, due, cold start", rowDueCold, "first", 2, "s"),
		most(full+"first delivery, due, warm start", rowDueWarm, "first", 2, "s"),
		most(full+"first delivery of new mail, cold start", rowCold, "first", 2, "s"),
		most(full+"first delivery of new mail, warm start", rowWarm, "first", 2, "s"),
		most(full+"memory", rowLater, "memory", 400, "MB"),
		share(full+"new mail, share of the rate without them", rowLater, rowNone, 0.8),
		{what: full + "messages ended, share of the rate with few", least: "0.8", bound: 0.8, measured: func(f figures) (float64, bool) {
			return f.quotient(systems[0].name, rowDueCold, systems[0].name, rowFew, "ended")
		}},
	}
}

// quotient is that of the medians of two systems' works.
func (f figures) quotient(system, work, of, ofWork, metric string) (float64, bool) {
	a, ok := f.spread(system, work, metric)
	b, there := f.spread(of, ofWork, metric)
	if !ok || !there || b.median == 0 {
		return 0, false
	}
	return a.median / b.median, true
}

// reached tells in a word.
func (r requirement) reached(f figures) (figure, word string) {
	v, ok := r.measured(f)
	switch {
	case !ok:
		return "-", "not measured"
	case r.most && v <= r.bound, !r.most && v >= r.bound:
		return digits(v), "yes"
	}
	return digits(v), "NO"
}

// writeBar says of each requirement whether it is reached.
func writeBar(w io.Writer, f figures, messages int) {
	fmt.Fprintf(w, "\nthe bar\n\n| what | required | measured | reached |\n| --- | --- | --- | --- |\n")
	for _, r := range requirements(messages) {
		if messages == 0 && strings.HasPrefix(r.what, "0 messages") {
			continue
		}
		figure, word := r.reached(f)
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", r.what, r.least, figure, word)
	}
}
