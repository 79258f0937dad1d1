package system

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// mover is a reader of Python's mailbox module, which locks an mbox by fcntl and a
// dot-lock, as mail readers do: it moves all messages of a mailbox to another one,
// again and again until a file called over is there and nothing is left. It empties
// an mbox in place: flush of the module closes the old file, and so gives up the lock
// by fcntl, before it puts the new one there, and loses what comes in between.
const mover = `
import mailbox, os, sys
kind, source, target, over = sys.argv[1:]
kinds = {"mbox": mailbox.mbox, "maildir": mailbox.Maildir}
out = mailbox.mbox(target)
while True:
    last = os.path.exists(over)
    box = kinds[kind](source, factory=None)
    try:
        box.lock()
    except mailbox.ExternalClashError:
        continue
    moved = 0
    for key in box.keys():
        out.add(box[key])
        out.flush()
        if kind == "maildir":
            box.remove(key)
        moved += 1
    if kind == "mbox" and moved:
        box._file.truncate(0)
    box.unlock()
    box.close()
    if last and not moved:
        break
`

// While many processes deliver to an mbox and a maildir, Python's mailbox module
// moves what has come: every message ends up in the other mailbox, once and whole.
func TestPythonMovesMail(t *testing.T) {
	t.Parallel()
	const python = "/usr/bin/python3" // one that every user may run
	if _, err := os.Stat(python); err != nil {
		t.Skip("no python3 here")
	}
	s := newSystem(t)
	s.write("joe/Mailbox", "")
	const processes, each = 16, 4
	over := s.path("joe/over")
	var readers, deliveries sync.WaitGroup
	for _, kind := range []struct{ name, source string }{{"mbox", "Mailbox"}, {"maildir", "Maildir"}} {
		like := s.command("qmail-local") // the same user
		cmd := exec.Command(python, "-c", mover, kind.name, s.path("joe/"+kind.source), s.path("joe/from-"+kind.name), over)
		cmd.Dir, cmd.SysProcAttr, cmd.Env = s.path("joe"), like.SysProcAttr, like.Env
		readers.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("python3: %v: %s", err, out)
			}
		})
	}
	for p := range processes {
		deliveries.Go(func() {
			for n := range each {
				s.deliver(fmt.Sprintf("Subject: %d.%d\n\nFrom the beginning\n%sthe end of %d.%d\n", p, n, strings.Repeat("text\n", 100*p), p, n))
			}
		})
	}
	deliveries.Wait()
	s.must(os.WriteFile(over, nil, 0o644))
	readers.Wait()
	for _, box := range []string{"joe/from-mbox", "joe/from-maildir"} {
		s.checkMoved(box, processes, each)
	}
}

// deliver runs qmail-local, once for each place, until it succeeds: it defers when
// a reader has the lock for long.
func (s *system) deliver(message string) {
	for _, place := range []string{"./Mailbox", "./Maildir/"} {
		for done := false; !done; {
			cmd := s.local(message)
			cmd.Args[len(cmd.Args)-1] = place
			done = cmd.Run() == nil
		}
	}
}

func (s *system) checkMoved(box string, processes, each int) {
	s.t.Helper()
	data, err := os.ReadFile(s.path(box))
	s.must(err)
	for p := range processes {
		for n := range each {
			for _, line := range []string{"Subject: %d.%d\n", "\nthe end of %d.%d\n"} {
				if got := strings.Count(string(data), fmt.Sprintf(line, p, n)); got != 1 {
					s.t.Errorf("%s: %q is there %d times", box, fmt.Sprintf(line, p, n), got)
				}
			}
		}
	}
}
