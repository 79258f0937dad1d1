package send

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func TestStatusInLog(t *testing.T) {
	w := newWorld(t)
	w.submitter()
	w.control("logstatus", "1")
	w.reply = func(asked string) string {
		if strings.HasPrefix(asked, "local") {
			return "DSorry, no mailbox here by that name. (#5.1.1)\n"
		}
		return "Z192.0.2.1 does not like recipient.\nRemote host said: 450 4.2.2 full\n"
	}
	w.start()
	w.queue("ann@far.example", "joe@example.org", "bob@far.example")
	w.wait("_(#5.1.1)/ status=5.1.1", 1)
	w.wait("_full/ status=4.2.2", 1)
	w.stop()
}

// grammar is what programs like matchup of qmailanalog read: which lines there are,
// and their fields.
var grammar = []*regexp.Regexp{
	regexp.MustCompile(`^new msg (\d+)$`),
	regexp.MustCompile(`^info msg (\d+): bytes (\d+) from <(\S*)> qp (\d+) uid (\d+)$`),
	regexp.MustCompile(`^starting delivery (\d+): msg (\d+) to (local|remote) (\S+)$`),
	regexp.MustCompile(`^delivery (\d+): (success|failure|deferral): (\S*)$`),
	regexp.MustCompile(`^status: local \d+/\d+ remote \d+/\d+( exitasap)?$`),
	regexp.MustCompile(`^bounce msg (\d+) qp (\d+)$`),
	regexp.MustCompile(`^end msg (\d+)$`),
	regexp.MustCompile(`^status: exiting$`),
}

// A reader of the log can tell the story of every message: each begins, has its
// deliveries, each of which ends, and ends.
func TestLogTellsTheStory(t *testing.T) {
	w := newWorld(t)
	w.submitter()
	w.reply = func(asked string) string {
		switch {
		case strings.Contains(asked, "no"):
			return "Dno such \nuser\n"
		case strings.Contains(asked, "odd"):
			return "K\x01\xff"
		}
		return "Kdid 1+0+0\n"
	}
	w.start()
	for i := range 20 {
		w.queue(fmt.Sprintf("a b%%\xff%d@far.example", i), "joe@example.org", "no one@example.org", "odd\nwill@far.example")
	}
	w.wait("end msg", 20)
	w.stop()
	open := map[string]string{} // deliveries under way, and their messages
	messages := map[string]int{}
	for _, line := range w.log {
		var match []string
		var kind int
		for i, g := range grammar {
			if m := g.FindStringSubmatch(line); m != nil {
				match, kind = m, i
			}
		}
		switch {
		case match == nil:
			t.Errorf("no reader knows the line %q", line)
		case kind == 0:
			messages[match[1]] = 0
		case kind == 2:
			open[match[1]] = match[2]
		case kind == 3:
			messages[open[match[1]]]++
			delete(open, match[1])
		case kind == 6:
			if messages[match[1]] != 3 {
				t.Errorf("message %s ends after %d deliveries", match[1], messages[match[1]])
			}
			delete(messages, match[1])
		}
	}
	if len(open)+len(messages) > 0 {
		t.Errorf("%d deliveries and %d messages have no end", len(open), len(messages))
	}
}
