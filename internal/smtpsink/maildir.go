package smtpsink

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// Maildir is a maildir(5) to put messages into.
type Maildir struct {
	path string
	made atomic.Int64
}

// NewMaildir makes a maildir, unless it is there.
func NewMaildir(path string) (*Maildir, error) {
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(path, sub), 0o700); err != nil {
			return nil, err
		}
	}
	return &Maildir{path: path}, nil
}

// Deliver puts a message in and returns the name of its file. Lines that tell
// the envelope go before it.
func (d *Maildir) Deliver(m *Message) (string, error) {
	now := time.Now()
	name := fmt.Sprintf("%d.M%dP%dQ%d.sink", now.Unix(), now.Nanosecond()/1000, os.Getpid(), d.made.Add(1))
	var text strings.Builder
	fmt.Fprintf(&text, "Return-Path: <%s>\n", m.Sender)
	for _, recipient := range m.Recipients {
		fmt.Fprintf(&text, "Delivered-To: %s\n", recipient)
	}
	text.Write(m.Text())
	tmp := filepath.Join(d.path, "tmp", name)
	if err := os.WriteFile(tmp, []byte(text.String()), 0o600); err != nil {
		os.Remove(tmp)
		return "", err
	}
	path := filepath.Join(d.path, "new", name)
	return path, os.Rename(tmp, path)
}
