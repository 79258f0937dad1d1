package queuectl

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/queue"
)

// pick calls yield with the messages that the options choose: by number, or by
// filter. Numbers that are not there come as missing.
func (t *Tool) pick(o *options, yield func(*Message) error, missing func(queue.Number)) error {
	r := t.reader()
	if len(o.numbers) == 0 {
		return r.each(func(m *Message) error {
			if !o.filter.picks(m, r.now) {
				return nil
			}
			return yield(m)
		})
	}
	for _, n := range o.numbers {
		m := r.message(n)
		if m == nil {
			missing(n)
			continue
		}
		if !o.filter.picks(m, r.now) {
			continue
		}
		if err := yield(m); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tool) list(o *options) error {
	out := array{t: t}
	err := t.pick(o, func(m *Message) error {
		if t.json {
			return out.add(m)
		}
		return m.write(t.Out)
	}, func(queue.Number) {})
	if err == nil && t.json {
		err = out.end()
	}
	return err
}

const timeForm = "2006-01-02T15:04:05Z"

// write writes a message as lines for people: one for itself, one for each
// recipient, and one for each report.
func (m *Message) write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %s %d <%s>", m.Number, m.State, m.Born.Format(timeForm), m.Size, printable(m.Sender))
	if m.Bouncing {
		b.WriteString(" bouncing")
	}
	b.WriteString("\n")
	for _, r := range m.Recipients {
		b.WriteString("\t")
		if r.Channel != "" {
			b.WriteString(r.Channel + " ")
		}
		b.WriteString(r.State + " " + printable(r.Address))
		if r.NextTry != nil {
			b.WriteString(" next " + r.NextTry.Format(timeForm))
		}
		b.WriteString("\n")
		if r.Report != "" {
			b.WriteString("\t\t" + oneLine(r.Report) + "\n")
		}
	}
	if m.Trouble != "" {
		b.WriteString("\tunreadable: " + oneLine(m.Trouble) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printable keeps what comes from outside from writing to the terminal.
func printable(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '_'
		}
	}
	return string(b)
}

// oneLine shows the lines of a report with slashes between them, as the log does.
func oneLine(s string) string {
	return printable(strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "/"))
}

// maxShown bounds how much of a message's header, or of its body, is shown.
const maxShown = 1 << 20

func (t *Tool) show(o *options) (int, error) {
	if len(o.numbers) == 0 {
		return 0, errUsage
	}
	code := exitcode.OK
	out := array{t: t}
	err := t.pick(o, func(m *Message) error {
		if err := t.readMail(m, o.body); err != nil && !errors.Is(err, fs.ErrNotExist) {
			m.Trouble = err.Error()
		}
		if t.json {
			return out.add(m)
		}
		if err := m.write(t.Out); err != nil {
			return err
		}
		_, err := io.WriteString(t.Out, "\n"+visible(m.Header))
		if err == nil && o.body {
			_, err = io.WriteString(t.Out, "\n"+visible(m.Body))
		}
		return err
	}, func(n queue.Number) {
		fmt.Fprintf(t.Errors, "qmail-queuectl: message %d: gone\n", n)
		code = exitcode.Hard
	})
	if err == nil && t.json {
		err = out.end()
	}
	return code, err
}

// readMail reads the beginning of the message itself.
func (t *Tool) readMail(m *Message, withBody bool) error {
	f, err := t.q.FS.Open(t.q.Name(queue.Mess, m.Number), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReader(f)
	var header strings.Builder
	for header.Len() < maxShown {
		part, err := in.ReadSlice('\n')
		if string(part) == "\n" || err == io.EOF && len(part) == 0 {
			break
		}
		header.Write(part)
		if err != nil && err != bufio.ErrBufferFull {
			break
		}
	}
	m.Header = header.String()
	if !withBody {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(in, maxShown))
	m.Body = string(body)
	return err
}

// visible shows text with its lines and tabs; other bytes that could write to the
// terminal become _.
func visible(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c != '\n' && c != '\t' && (c < ' ' || c == 0x7f) {
			b[i] = '_'
		}
	}
	return string(b)
}

// Domain is what is to do for one domain.
type Domain struct {
	Domain     string    `json:"domain"`
	Recipients int       `json:"recipients"`
	Messages   int       `json:"messages"`
	Held       int       `json:"held"` // of the recipients
	Oldest     time.Time `json:"oldest"`
}

func (t *Tool) count(o *options) error {
	domains := map[string]*Domain{}
	err := t.pick(o, func(m *Message) error {
		seen := map[string]bool{}
		for _, r := range m.Recipients {
			if r.State == stateDone {
				continue
			}
			name := domain(r.Address)
			d := domains[name]
			if d == nil {
				d = &Domain{Domain: name, Oldest: m.Born}
				domains[name] = d
			}
			d.add(m, r, !seen[name])
			seen[name] = true
		}
		return nil
	}, func(queue.Number) {})
	if err != nil {
		return err
	}
	all := make([]Domain, 0, len(domains))
	for _, d := range domains {
		all = append(all, *d)
	}
	slices.SortFunc(all, func(a, b Domain) int {
		return cmp.Or(cmp.Compare(b.Recipients, a.Recipients), cmp.Compare(a.Domain, b.Domain))
	})
	if t.json {
		return t.writeJSON(all)
	}
	return t.writeCounts(all)
}

func (d *Domain) add(m *Message, r Recipient, first bool) {
	d.Recipients++
	if first {
		d.Messages++
	}
	if r.State == stateHeld {
		d.Held++
	}
	if m.Born.Before(d.Oldest) {
		d.Oldest = m.Born
	}
}

func (t *Tool) writeCounts(all []Domain) error {
	out := bufio.NewWriter(t.Out)
	fmt.Fprintf(out, "%10s %10s %10s %-20s %s\n", "recipients", "messages", "held", "oldest", "domain")
	for _, d := range all {
		fmt.Fprintf(out, "%10d %10d %10d %-20s %s\n", d.Recipients, d.Messages, d.Held, d.Oldest.Format(timeForm), printable(d.Domain))
	}
	return out.Flush()
}
