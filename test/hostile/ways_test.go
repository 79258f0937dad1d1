package hostile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"goqmail/internal/exitcode"
)

// way hands a message over to the system.
type way struct {
	name string
	send func(s *system, m io.Reader, size int64, from string, to []string) (accepted bool, err error)
	// arrives is what the message has become in the queue, below the lines that were
	// put in front; nil: all that is known is how it ends, see ending.
	arrives func(text []byte) []byte
	// ending is how it ends if arrives is nil.
	ending func(text []byte) []byte
}

// patience is after how long a conversation ends: long, as it only says that the test
// has failed.
const patience = 2 * time.Minute

var errUnclear = errors.New("neither taken nor refused for good")

// ways are all ways into the queue. SMTP and QMTP are the addresses of servers.
func ways(smtp, qmtp string) []way {
	same := func(text []byte) []byte { return text }
	return []way{
		{"qmail-queue", byQueue, same, nil},
		{"SMTP", func(_ *system, m io.Reader, _ int64, from string, to []string) (bool, error) {
			return bySMTP(smtp, m, from, to)
		}, withNewline, nil},
		{"QMTP", func(_ *system, m io.Reader, size int64, from string, to []string) (bool, error) {
			return byQMTP(qmtp, m, size, from, to)
		}, same, nil},
		{"qmail-inject", injected("qmail-inject", "-a"), nil, func(text []byte) []byte { return withNewline(body(text)) }},
		{"sendmail", injected("sendmail", "-i"), nil, func(text []byte) []byte { return withNewline(body(lines(text))) }},
		{"sendmail -t", injected("sendmail", "-t", "-i"), nil, func(text []byte) []byte { return withNewline(body(lines(text))) }},
	}
}

// withNewline gives the last line its newline.
func withNewline(text []byte) []byte {
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(bytes.Clone(text), '\n')
	}
	return text
}

// body is what follows the first blank line.
func body(text []byte) []byte {
	if bytes.HasPrefix(text, []byte("\n")) {
		return text[1:]
	}
	_, text, _ = bytes.Cut(text, []byte("\n\n"))
	return text
}

var lineEnd = regexp.MustCompile(`\r+\n`)

// lines makes the ends of lines those of the host, as sendmail does.
func lines(text []byte) []byte { return lineEnd.ReplaceAll(text, []byte("\n")) }

func byQueue(s *system, m io.Reader, _ int64, from string, to []string) (bool, error) {
	envelope, err := os.CreateTemp(filepath.Dir(s.home.Dir), "envelope")
	if err != nil {
		return false, err
	}
	defer os.Remove(envelope.Name())
	defer envelope.Close()
	fmt.Fprintf(envelope, "F%s\x00T%s\x00\x00", from, strings.Join(to, "\x00T"))
	if _, err := envelope.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	cmd := s.limited("qmail-queue")
	cmd.Stdin, cmd.Stdout = m, envelope
	return ended(cmd, func(code int) bool { return code >= 11 && code <= 40 })
}

// ended runs a program. A code for which refuses is true refuses the message for good.
func ended(cmd *exec.Cmd, refuses func(code int) bool) (accepted bool, err error) {
	var said bytes.Buffer
	cmd.Stderr = &said
	err = cmd.Run()
	if cmd.ProcessState == nil {
		return false, err
	}
	code := cmd.ProcessState.ExitCode()
	if code != exitcode.OK && !refuses(code) {
		return false, fmt.Errorf("%w: exit code %d, %.200q", errUnclear, code, said.String())
	}
	return code == exitcode.OK, nil
}

func injected(program string, options ...string) func(*system, io.Reader, int64, string, []string) (bool, error) {
	return func(s *system, m io.Reader, _ int64, from string, to []string) (bool, error) {
		args := append(append(append([]string{}, options...), "-f"+from, "--"), to...)
		cmd := s.limited(program, args...)
		cmd.Stdin = m
		return ended(cmd, func(code int) bool {
			return slices.Contains([]int{exitcode.Hard, exitcode.DataErr, exitcode.Usage, exitcode.Unavailable}, code)
		})
	}
}

// client speaks SMTP in a hurry.
type client struct {
	in  *bufio.Reader
	out *bufio.Writer
	err error
}

// ask sends a line and returns the code of the reply.
func (c *client) ask(format string, args ...any) (code int) {
	if format != "" {
		fmt.Fprintf(c.out, format+"\r\n", args...)
	}
	if err := c.out.Flush(); err != nil && c.err == nil {
		c.err = err
	}
	for c.err == nil {
		line, err := c.in.ReadString('\n')
		c.err = err
		if len(line) > 3 && line[3] == ' ' {
			fmt.Sscanf(line, "%d", &code)
			return code
		}
	}
	return 0
}

// bySMTP sends a message as a client does that knows of no line ends but LF.
func bySMTP(address string, m io.Reader, from string, to []string) (bool, error) {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return false, err
	}
	c := &client{in: bufio.NewReader(conn), out: bufio.NewWriterSize(conn, 64<<10)}
	c.ask("")
	c.ask("EHLO eve.far.test")
	if code := c.ask("MAIL FROM:<%s>", from); code != 250 {
		return refusal(code, c.err)
	}
	for _, recipient := range to {
		if code := c.ask("RCPT TO:<%s>", recipient); code != 250 {
			return refusal(code, c.err)
		}
	}
	if code := c.ask("DATA"); code != 354 {
		return refusal(code, c.err)
	}
	stuff(c.out, m)
	code := c.ask(".")
	if code == 250 {
		c.ask("QUIT")
		return true, nil
	}
	return refusal(code, c.err)
}

func refusal(code int, err error) (bool, error) {
	if code/100 == 5 {
		return false, nil
	}
	return false, fmt.Errorf("%w: code %d, %w", errUnclear, code, err)
}

// stuff writes lines as SMTP has them, with one more dot in front of a dot.
func stuff(w *bufio.Writer, m io.Reader) {
	in := bufio.NewReaderSize(m, 64<<10)
	start := true
	for {
		piece, err := in.ReadSlice('\n')
		if start && len(piece) > 0 && piece[0] == '.' {
			w.WriteByte('.')
		}
		if len(piece) > 0 {
			start = piece[len(piece)-1] == '\n'
			w.Write(bytes.TrimSuffix(piece, []byte("\n")))
			if start {
				w.WriteString("\r\n")
			}
		}
		if err != nil && err != bufio.ErrBufferFull {
			break
		}
	}
	if !start {
		w.WriteString("\r\n")
	}
}

// byQMTP sends a message with all bytes as they are.
func byQMTP(address string, m io.Reader, size int64, from string, to []string) (bool, error) {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return false, err
	}
	out := bufio.NewWriterSize(conn, 64<<10)
	fmt.Fprintf(out, "%d:\n", size+1)
	io.Copy(out, m)
	var all strings.Builder
	for _, recipient := range to {
		fmt.Fprintf(&all, "%d:%s,", len(recipient), recipient)
	}
	fmt.Fprintf(out, ",%d:%s,%d:%s,", len(from), from, all.Len(), all.String())
	if err := out.Flush(); err != nil {
		return false, err
	}
	in := bufio.NewReader(conn)
	answers := map[byte]int{}
	for range to {
		length, err := in.ReadString(':')
		var n int
		if _, scanErr := fmt.Sscanf(length, "%d:", &n); err != nil || scanErr != nil || n < 1 {
			return false, errors.Join(err, scanErr, errUnclear)
		}
		text := make([]byte, n+1)
		if _, err := io.ReadFull(in, text); err != nil {
			return false, err
		}
		answers[text[0]]++
	}
	switch len(to) {
	case answers['K']:
		return true, nil
	case answers['D']:
		return false, nil
	}
	return false, fmt.Errorf("%w: answers %v", errUnclear, answers)
}
