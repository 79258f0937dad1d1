//go:build linux && amd64

package faults

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// harmless reports whether a program is to go on as if nothing had happened.
func (p plan) harmless() bool { return p.Action == learn || p.Action == "EINTR" || p.Action == short }

// usual are the lines of qmail-send's log when all goes well.
var usual = regexp.MustCompile(`^(new msg |info msg |end msg |starting delivery |status: |bounce msg |-- again --|` +
	`delivery [0-9]+: success: |delivery [0-9]+: failure: Sorry,_no_mailbox_here_by_that_name|$)`)

// judge compares what has arrived with what was accepted.
func (w *world) judge() {
	for _, line := range strings.Split(w.Log, "\n") {
		if !usual.MatchString(line) {
			w.Telling = append(w.Telling, line)
		}
	}
	if strings.Contains(w.Log, "it hangs, with a message\n") {
		w.problem("to hand over a message hangs")
	}
	arrived := w.boxes()
	for _, m := range w.mails() {
		if m.refused != "" {
			w.Telling = append(w.Telling, "refused: "+m.refused)
		}
		if !m.accepted {
			w.problem("message %s is not accepted, without any fault: %s", m.name, m.refused)
			continue
		}
		for _, to := range m.to {
			for _, box := range whither(to) {
				w.count(m, box, arrived[box+" "+m.name])
			}
		}
	}
	w.Disturbed = (w.stopped || w.Doubled > 0) && !w.forced
	if w.plan.harmless() {
		w.undisturbed()
	}
	if w.plan.Action != learn && !strings.HasSuffix(w.plan.Action, forGood) {
		w.judgeEnds()
	}
}

// whither are the places where the mail for an address arrives.
func whither(to string) []string {
	switch to {
	case toBob:
		return []string{"mbox", "program"}
	case toFriend:
		return []string{"elsewhere"}
	case toNobody:
		return []string{"returned"}
	}
	return []string{"maildir"} // fred's goes to pat, too
}

func (w *world) count(m *mail, box string, n int) {
	switch {
	case n == 0:
		w.problem("message %s was accepted, and is lost for %s", m.name, box)
	case n > 1:
		w.Doubled += n - 1
	}
}

// boxes counts what has arrived, by place and message.
func (w *world) boxes() map[string]int {
	arrived := map[string]int{}
	put := func(box, text string) {
		if strings.Contains(text, "\nHi. This is the qmail-send program at ") {
			box = "returned"
			// After a crash a delivery may fail again.
			fails := strings.Count(text, "\n<")
			if fails != strings.Count(text, "\n<"+toNobody+">:\n") || fails == 0 || w.plan.harmless() && fails > 1 {
				w.problem("mail is returned that need not be: %q", text[:min(len(text), 2000)])
			}
		}
		for _, m := range w.mails() {
			if header, ok := strings.CutSuffix(text, m.text); ok {
				if box != "returned" && strings.Contains(header, "\n\n") {
					break
				}
				arrived[box+" "+m.name]++
				return
			}
		}
		w.problem("in %s there is what nobody sent, or not whole: %q ... %q", box, text[:min(len(text), 500)], text[max(0, len(text)-200):])
	}
	for box, pattern := range map[string]string{"maildir": "/home/pat/Maildir/new/*", "program": "/home/bob/got/*"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			text, err := os.ReadFile(name)
			must(err)
			put(box, string(text))
		}
	}
	w.mbox(put)
	w.sink.Lock()
	defer w.sink.Unlock()
	for _, text := range w.sink.got {
		put("elsewhere", text)
	}
	if names, _ := filepath.Glob(home + "/alias/Maildir/new/*"); len(names) > 0 {
		text, _ := os.ReadFile(names[0])
		w.problem("the postmaster gets mail: %q", text)
	}
	return arrived
}

// mbox takes bob's mailbox apart. The beginning of a message may be there if the
// program died that wrote it.
func (w *world) mbox(put func(box, text string)) {
	text, err := os.ReadFile("/home/bob/Mailbox")
	if os.IsNotExist(err) {
		return
	}
	must(err)
	for i, entry := range strings.Split("\n"+string(text), "\nFrom ") {
		switch {
		case i == 0 && strings.Trim(entry, "\n") == "":
		case !strings.HasSuffix(entry, "\n") || !strings.Contains(entry, "\nend of "):
			if w.plan.Program != "qmail-local" || w.plan.Action != kill && !strings.HasSuffix(w.plan.Action, forGood) {
				w.problem("the mbox has a part of a message: %q", entry)
			}
		default:
			put("mbox", strings.TrimRight(entry, "\n")+"\n")
		}
	}
}

// undisturbed is for what no program may even notice.
func (w *world) undisturbed() {
	switch {
	case w.stopped:
		w.problem("the system ends")
	case w.Doubled > 0:
		w.problem("%d deliveries are done twice", w.Doubled)
	case len(w.Telling) > 0:
		w.problem("it is noticed: %q", w.Telling)
	}
	for _, kind := range []string{"mess/*/*", "intd/*", "pid/*"} {
		if left, _ := filepath.Glob(home + "/queue/" + kind); len(left) > 0 {
			w.problem("%q is left", left)
		}
	}
}

// fine are the exit codes that a program may have, whatever fails.
var fine = map[string][]string{
	"qmail-start":  {"111", "0"},
	"qmail-send":   {"111", "0"},
	"qmail-lspawn": {"111", "0"},
	"qmail-rspawn": {"111", "0"},
	"qmail-clean":  {"111", "0", "100"},
	"qmail-local":  {"111", "0", "100"}, // there is no nobody
	"qmail-remote": {"0", "111"},        // the latter where it stays
	"qmail-getpw":  {"111", "0", "115", "118"},
	"qmail-queue":  {"0", "51", "53", "54", "61", "62", "63", "64", "65", "66", "81", "111"},
	"qmail-inject": {"0", "111"},
	"sendmail":     {"0", "75"},
}

var setsUser = regexp.MustCompile(`^set(uid|gid|groups)\(`)

// runtimes are the calls without which Go's runtime gives up: the program ends by a
// signal, or with 2 if it has not begun yet.
var runtimes = regexp.MustCompile(`^(thread|epoll_create|eventfd)\(`)

func (w *world) judgeEnds() {
	for _, end := range w.Report.Ends {
		switch {
		case slices.Contains(fine[w.plan.Program], end):
		case w.plan.Action == kill && end == "killed":
		case setsUser.MatchString(w.plan.Call) && end == "aborted": // only some threads became the user
		case runtimes.MatchString(w.plan.Call) && (end == "aborted" || end == "2"):
		default:
			w.problem("it ends with %s", end)
		}
	}
}
