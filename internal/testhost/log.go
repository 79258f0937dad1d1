package testhost

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// Log takes what programs print.
type Log struct {
	mu      sync.Mutex
	changed sync.Cond
	text    bytes.Buffer
}

// NewLog returns an empty log.
func NewLog() *Log {
	l := &Log{}
	l.changed.L = &l.mu
	return l
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changed.Broadcast()
	return l.text.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// patience is after how long a test gives up: long, as it only says that the test
// has failed.
const patience = 2 * time.Minute

// Wait returns when a text is in the log so many times.
func (l *Log) Wait(t *testing.T, text string, times int) {
	t.Helper()
	gaveUp := false
	timer := time.AfterFunc(patience, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		gaveUp = true
		l.changed.Broadcast()
	})
	defer timer.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for strings.Count(l.text.String(), text) < times {
		if gaveUp {
			t.Fatalf("%q is not %d times in the log:\n%s", text, times, l.text.String())
		}
		l.changed.Wait()
	}
}
