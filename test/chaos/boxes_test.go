package chaos

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// maildirs are read as a POP server reads them: whatever is in new is whole.
var maildirs = []string{"ann", "dan", "fay", "lst", "snd", "alias"}

// collect takes all mail out of the mailboxes, until stop.
func (w *world) collect(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(50 * time.Millisecond):
			w.collectOnce()
		}
	}
}

func (w *world) collectOnce() {
	w.collecting.Lock()
	defer w.collecting.Unlock()
	for _, user := range maildirs {
		w.empty(filepath.Join("/home", user, "Maildir/new"), user)
	}
	w.empty("/home/cyd/done", "cyd")
	w.emptyMbox("/home/bob/Mailbox")
}

// empty takes the files out of a folder.
func (w *world) empty(dir, user string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		w.t.Error(err)
	}
	for _, entry := range entries {
		name := filepath.Join(dir, entry.Name())
		text, err := os.ReadFile(name)
		if err != nil {
			w.t.Error(err)
			continue
		}
		w.mail(user, user, text)
		if err := os.Remove(name); err != nil {
			w.t.Error(err)
		}
	}
}

// emptyMbox takes the messages out of an mbox, under its lock.
func (w *world) emptyMbox(name string) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return // there is none before the first message
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		w.t.Error(err)
		return
	}
	text, err := os.ReadFile(name)
	if err != nil || len(text) == 0 {
		return
	}
	messages, err := splitMbox(text)
	if err != nil {
		w.t.Errorf("%s: %v", name, err)
	}
	for _, m := range messages {
		if n, body, err := take(m); err != nil {
			w.partOf(0) // not even a header
		} else if !bytes.HasSuffix(body, fmt.Appendf(nil, "The end of %d.\n", n)) {
			w.partOf(n)
		} else {
			w.mail("bob", "bob", m)
		}
	}
	if err := f.Truncate(0); err != nil {
		w.t.Error(err)
	}
}

// splitMbox takes an mbox apart as mbox(5) says.
func splitMbox(text []byte) (messages [][]byte, err error) {
	if !bytes.HasPrefix(text, []byte("From ")) {
		return nil, fmt.Errorf("begins with %.100q", text)
	}
	var m []byte
	for line := range strings.Lines(string(text)) {
		quoted := strings.TrimLeft(line, ">")
		switch {
		case strings.HasPrefix(line, "From "):
			if m != nil {
				messages = append(messages, m)
			}
			m = []byte{}
		case line != quoted && strings.HasPrefix(quoted, "From "):
			m = append(m, line[1:]...)
		default:
			m = append(m, line...)
		}
	}
	messages = append(messages, m)
	for i, m := range messages {
		messages[i] = bytes.TrimSuffix(m, []byte("\n")) // the empty line between messages
	}
	return messages, nil
}
