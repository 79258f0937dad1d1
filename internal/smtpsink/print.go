package smtpsink

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// Printer writes a line for each message, and keeps it in a maildir if it has one.
type Printer struct {
	Out, Err io.Writer
	Maildir  *Maildir // may be nil
	mu       sync.Mutex
}

// Deliver is the Deliver function of a [Server].
func (p *Printer) Deliver(m *Message) error {
	where := ""
	if p.Maildir != nil {
		path, err := p.Maildir.Deliver(m)
		if err != nil {
			p.print(p.Err, "smtp-sink: warning: %v\n", err)
			return errors.New("unable to keep the message")
		}
		where = " in " + path
	}
	p.print(p.Out, "smtp-sink: from <%s> to <%s>, %d bytes%s\n",
		visible(m.Sender), visible(strings.Join(m.Recipients, "> <")), len(m.Data), where)
	return nil
}

func (p *Printer) print(out io.Writer, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(out, format, args...)
}

// visible keeps what clients send from playing with a terminal.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}
