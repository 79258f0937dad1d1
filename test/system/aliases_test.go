package system

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A host that comes from another mail system: its aliases and its users' .forward
// files are obeyed. Mail for root reaches a human, and failures of a list its owner.
func TestAliases(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	program := func(name string) string { return filepath.Join(s.home.Bin, name) }
	for _, name := range []string{"postmaster", "root"} {
		s.must(os.Remove(s.path("alias/.qmail-" + name)))
	}
	s.write("etc-aliases", strings.ReplaceAll(`# moved here
postmaster: root
root: joe, "|cat >>HOME/told"
staff: :include:HOME/staff
owner-staff: joe-owner
`, "HOME", s.home.Dir))
	s.write("staff", "joe\nnobody-here\n")
	s.write("alias/.qmail-default", "|"+program("fastforward")+" -d "+s.path("etc-aliases.cdb")+"\n")
	s.write("joe/.qmail", "|"+program("dot-forward")+" .forward\n./Maildir/\n")
	s.write("joe/.forward", "\\joe, joe-copy@here.test\n")
	for name, maildir := range map[string]string{"copy": "copy", "owner": "owner"} {
		s.write("joe/.qmail-"+name, "./"+maildir+"/\n")
		if out, err := s.command("maildirmake", s.path("joe/"+maildir)).CombinedOutput(); err != nil {
			t.Fatalf("maildirmake: %v: %s", err, out)
		}
	}
	if out, err := s.command("newaliases", s.path("etc-aliases")).CombinedOutput(); err != nil {
		t.Fatalf("newaliases: %v: %s", err, out)
	}
	s.own()
	s.start()
	for _, to := range []string{"postmaster@here.test", "staff@here.test"} {
		if code := s.queue("ann@far.test", []string{to}, []byte("Subject: for "+to+"\n\nHello.\n")); code != 0 {
			t.Fatalf("qmail-queue exits with %d", code)
		}
	}
	s.wait("to local joe-owner@here.test\n", 1) // the bounce, which comes last
	s.drain()
	s.stop()
	if left := s.inQueue(); len(left) > 0 {
		t.Errorf("%q are left in the queue:\n%s", left, tail(s.logged()))
	}
	for maildir, subjects := range map[string][]string{
		"Maildir": {"Subject: for postmaster@here.test\n", "Subject: for staff@here.test\n"},
		"copy":    {"Subject: for postmaster@here.test\n", "Subject: for staff@here.test\n"},
		"owner":   {"Subject: failure notice\n"},
	} {
		mails := s.mails(s.path("joe/" + maildir))
		if len(mails) != len(subjects) {
			t.Errorf("%s has %d messages, want %d", maildir, len(mails), len(subjects))
		}
		all := bytes.Join(mails, nil)
		for _, subject := range subjects {
			if !bytes.Contains(all, []byte(subject)) {
				t.Errorf("%s has no message with %q", maildir, subject)
			}
		}
	}
	told, err := os.ReadFile(s.path("told"))
	if err != nil || !bytes.Contains(told, []byte("Subject: for postmaster@here.test\n")) {
		t.Errorf("the program was told %q, %v", told, err)
	}
	if log := s.logged(); strings.Contains(log, "to remote ann@far.test") {
		t.Errorf("the author is told of the failure:\n%s", tail(log))
	}
}
