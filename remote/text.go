package remote

import (
	"bufio"
	"bytes"
	"io"
	"sync"
)

// text is a message that may be sent many times: it is looked through once, and kept as
// SMTP has it if it is not long and there are many to send it to.
type text struct {
	file io.ReaderAt
	size int64
	many bool // that it is sent to

	look     sync.Once
	wireSize int64
	eightBit bool
	known    bool
	utf8     bool

	write sync.Once
	wire  []byte // with its dot; nil if it is not kept
	err   error  // why it cannot be sent
}

// mostKept is the size of the longest message that is kept.
const mostKept = 64 << 10

// reader reads the message from its beginning.
func (t *text) reader() *io.SectionReader { return io.NewSectionReader(t.file, 0, t.size) }

// onWire returns the message as SMTP has it, with its dot, or nil if it is not kept.
func (t *text) onWire() ([]byte, error) {
	t.write.Do(func() {
		if !t.many || t.size > mostKept {
			return
		}
		var wire bytes.Buffer
		out := bufio.NewWriter(&wire)
		if t.err = copyBody(out, t.reader()); t.err == nil {
			out.WriteString(dot)
			t.err = out.Flush()
			t.wire = wire.Bytes()
		}
	})
	return t.wire, t.err
}

func (t *text) survey() {
	t.wireSize, t.eightBit, t.known = survey(t.reader())
	t.utf8 = headerNeedsUTF8(headerOf(t.reader()))
}

// survey looks through the message, see the function.
func (m *Mail) survey() (size int64, eightBit, known bool) {
	if t := m.shared; t != nil {
		t.look.Do(t.survey)
		return t.wireSize, t.eightBit, t.known
	}
	return survey(m.Message)
}

func (m *Mail) headerNeedsUTF8() bool {
	if t := m.shared; t != nil {
		t.look.Do(t.survey)
		return t.utf8
	}
	return headerNeedsUTF8(headerOf(m.Message))
}
