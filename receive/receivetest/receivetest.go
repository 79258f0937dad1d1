// Package receivetest has the surroundings of a session for tests: a connection
// that is a text, and a queue that keeps what it gets.
package receivetest

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goqmail/receive"
)

// Conn is a connection whose client says In and then closes it.
type Conn struct {
	net.Conn // nil; what is not below must not be called
	In       io.Reader
	Out      bytes.Buffer
}

// Says returns a connection with such a client.
func Says(in string) *Conn { return &Conn{In: strings.NewReader(in)} }

func (c *Conn) Read(p []byte) (int, error)       { return c.In.Read(p) }
func (c *Conn) Write(p []byte) (int, error)      { return c.Out.Write(p) }
func (c *Conn) SetDeadline(time.Time) error      { return nil }
func (c *Conn) SetReadDeadline(time.Time) error  { return nil }
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// Queue keeps messages in the order in which they were queued.
type Queue struct {
	Messages []*Message
	Begun    int                  // messages that were begun
	Ended    int                  // and those that were ended, queued or not
	Verdict  func(*Message) error // what Close returns, nil for nil
	Env      receive.Env          // of the last message
}

// Message is a message in a [Queue].
type Message struct {
	bytes.Buffer
	Sender     string
	Recipients []string
	failed     bool
	sealed     bool
	queue      *Queue
}

// Open is a [receive.Queue].
func (q *Queue) Open(env receive.Env) (receive.Message, error) {
	q.Begun++
	q.Env = env
	return &Message{queue: q}, nil
}

// From implements [receive.Message].
func (m *Message) From(sender string) { m.Sender, m.sealed = sender, true }

// To implements [receive.Message].
func (m *Message) To(to string) { m.Recipients = append(m.Recipients, to) }

// Fail implements [receive.Message].
func (m *Message) Fail() { m.failed = true }

// PID implements [receive.Message].
func (m *Message) PID() int { return 4321 }

// Close implements [receive.Message].
func (m *Message) Close() error {
	m.queue.Ended++
	if m.failed || !m.sealed {
		return io.ErrUnexpectedEOF
	}
	if m.queue.Verdict != nil {
		if err := m.queue.Verdict(m); err != nil {
			return err
		}
	}
	m.queue.Messages = append(m.queue.Messages, m)
	return nil
}

// Body is the message without the two lines of its Received field.
func (m *Message) Body() string {
	parts := strings.SplitN(m.String(), "\n", 3)
	return parts[len(parts)-1]
}

// Control makes a folder of control files.
func Control(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Now is a clock that stands still.
func Now() time.Time { return time.Date(2026, 11, 21, 18, 4, 7, 0, time.UTC) }
