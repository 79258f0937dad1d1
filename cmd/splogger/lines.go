package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"time"
)

// Priorities of syslog(3).
const (
	alert   = 1
	warning = 4
	info    = 6
)

// pieceSize is the most of a line that is logged at once; syslog cuts or mangles
// more.
const pieceSize = 799

// sink takes pieces of lines.
type sink interface {
	send(priority int, text string)
}

// copyLines logs each line of in until its end. A line is stamped with the time
// at which its first piece is logged; the pieces that follow have the same stamp,
// and a plus sign. Blank lines are left out.
func copyLines(in io.Reader, out sink, now func() time.Time) error {
	r := bufio.NewReader(in)
	l := line{out: out, now: now}
	for {
		c, err := r.ReadByte()
		if err != nil {
			l.flush()
			if err == io.EOF {
				return nil
			}
			return err
		}
		l.add(c)
	}
}

// line is a line on its way to syslog.
type line struct {
	out sink
	now func() time.Time

	piece     []byte // what has not been logged yet
	continues bool   // some of the line has been
	stamp     string
	priority  int
}

func (l *line) add(c byte) {
	if c == '\n' {
		l.flush()
		l.continues = false
		return
	}
	if len(l.piece) == pieceSize {
		l.flush()
	}
	if c < ' ' || c > '~' {
		c = '?'
	}
	l.piece = append(l.piece, c)
}

// flush logs a piece.
func (l *line) flush() {
	if len(l.piece) == 0 {
		return
	}
	between := "+"
	if !l.continues {
		l.begin()
		between = " "
	}
	l.out.send(l.priority, l.stamp+between+string(l.piece))
	l.piece = l.piece[:0]
	l.continues = true
}

// begin sets what all pieces of a line have in common.
func (l *line) begin() {
	t := l.now()
	l.stamp = fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000)
	switch {
	case bytes.HasPrefix(l.piece, []byte("alert:")):
		l.priority = alert
	case bytes.HasPrefix(l.piece, []byte("warning:")):
		l.priority = warning
	default:
		l.priority = info
	}
}
