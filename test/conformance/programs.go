package conformance

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// systemPrograms are the programs that recorded shell lines and .qmail files use.
// Ordinary words among them (except, forward) do no harm: they matter only where
// the build lacks that program.
var systemPrograms = []string{
	"bouncesaying", "condredirect", "datemail", "elq", "except", "forward",
	"maildir2mbox", "maildirmake", "mailsubj", "pinq", "predate", "preline",
	"qail", "qbiff", "qmail-clean", "qmail-getpw", "qmail-inject", "qmail-local",
	"qmail-lspawn", "qmail-newmrh", "qmail-newu", "qmail-pop3d", "qmail-popup",
	"qmail-pw2u", "qmail-qmqpc", "qmail-qmqpd", "qmail-qmtpd", "qmail-qread",
	"qmail-qstat", "qmail-queue", "qmail-remote", "qmail-rspawn", "qmail-send",
	"qmail-showctl", "qmail-smtpd", "qmail-start", "qmail-tcpok", "qmail-tcpto",
	"qreceipt", "qsmhook", "sendmail", "splogger", "tcp-env",
}

var words = regexp.MustCompile(`[A-Za-z0-9_][A-Za-z0-9_-]*`)

// programs are the programs of the build that the case runs, sorted.
func (c *Case) programs() []string {
	found := map[string]bool{}
	if c.Prog == "sh" {
		for _, a := range c.Args {
			named(a, found)
		}
	} else if c.Prog != "" {
		found[c.Prog] = true
	}
	for _, content := range c.Files {
		for line := range strings.Lines(string(content)) {
			if strings.HasPrefix(line, "|") {
				named(Bytes(line), found)
			}
		}
	}
	usedBySteps(c.Steps, found)
	return slices.Sorted(maps.Keys(found))
}

// named adds the programs whose names are words of a shell line.
func named(line Bytes, found map[string]bool) {
	for _, word := range words.FindAllString(string(line), -1) {
		if slices.Contains(systemPrograms, word) {
			found[word] = true
		}
	}
}

func usedBySteps(steps []Step, found map[string]bool) {
	for _, s := range steps {
		named(s.Sh, found)
		if s.Queue != nil {
			found["qmail-queue"] = true
		}
		if s.Run == nil {
			continue
		}
		found["qmail-send"] = true
		if s.Run.Clean == "" {
			found["qmail-clean"] = true
		}
		named(s.Run.Clean, found)
		usedBySteps(s.Run.Then, found)
	}
}
