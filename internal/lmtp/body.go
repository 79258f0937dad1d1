package lmtp

import (
	"bufio"
	"io"
)

// readError is trouble with the message, told from trouble with the connection.
type readError struct{ err error }

func (e *readError) Error() string { return "read message: " + e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// writeBody writes a message as DATA has it, RFC 5321 section 4.5.2, and the dot at
// its end. LF, CRLF and CR all end a line: a server may take any of them for an end,
// and must not see a dot alone where this side sees none. A last line without its
// end gets one.
func writeBody(w *bufio.Writer, body io.Reader) error {
	atStart, afterCR := true, false
	buf := make([]byte, writeSize)
	for {
		n, err := body.Read(buf)
		for _, c := range buf[:n] {
			if c == '\n' && afterCR {
				afterCR = false
				continue
			}
			afterCR = c == '\r'
			switch {
			case c == '\n' || c == '\r':
				w.WriteString("\r\n")
				atStart = true
				continue
			case c == '.' && atStart:
				w.WriteByte('.')
			}
			if werr := w.WriteByte(c); werr != nil {
				return werr
			}
			atStart = false
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return &readError{err}
		}
	}
	if !atStart {
		w.WriteString("\r\n")
	}
	_, err := w.WriteString(".\r\n") // a bufio.Writer repeats the first error
	return err
}
