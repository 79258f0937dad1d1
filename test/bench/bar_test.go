package main

import (
	"slices"
	"strings"
	"testing"
)

func TestBar(t *testing.T) {
	all := figures{}
	for _, s := range []sample{
		{"goqmail", "idle", "memory", 21}, {"goqmail", "local", "rate", 900}, {"postfix", "local", "rate", 300},
		{"notqmail", "local", "rate", 200}, {"goqmail", "verp", "rate", 4000}, {"postfix", "list", "rate", 4000},
		{"goqmail", rowNone, "rate", 100}, {"goqmail", rowLater, "rate", 79}, {"goqmail", "atonce", "memory", 400.5},
	} {
		all.add(s)
	}
	var b strings.Builder
	writeBar(&b, all, 1000)
	for _, want := range []string{
		"| memory, idle | 40 MB at the most | 21.0 | yes |",
		"| SMTP in, maildirs | 3 times postfix | 3.00 | yes |",
		"| SMTP in, maildirs | 7 times notqmail | 4.50 | NO |",
		"| list, VERP | above postfix, list | 1.00 | yes |",
		"| sendmail | 2 times postfix | - | not measured |",
		"| memory then | 400 MB at the most | 400 | NO |",
		"| 1000 messages in the queue: new mail, share of the rate without them | 0.8 | 0.79 | NO |",
	} {
		if !slices.Contains(strings.Split(b.String(), "\n"), want) {
			t.Errorf("no line %q in\n%s", want, &b)
		}
	}
}

func TestMostAtOnce(t *testing.T) {
	log := "new msg 5\nstatus: local 1/20 remote 3/120\nstatus: local 0/20 remote 17/120 exitasap\nstatus: local 0/20 remote 2/120\ndelivery 1: failure: status:_local_9/9 remote 99/\n"
	if got := mostAtOnce(log); got != 17 {
		t.Errorf("mostAtOnce = %d, want 17", got)
	}
}
