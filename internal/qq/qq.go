// Package qq hands messages to qmail-queue, qmail-queue(8): the message on its
// descriptor 0, the envelope on 1, the verdict in its exit code, and with code 82
// the reason from its descriptor 6. A qmail-queue that stays is asked first, over its
// socket; if there is none, or $QMAILQUEUE names another program, one is started.
package qq

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
)

// Queue says which program takes messages.
type Queue struct {
	Home    string // folder in which the program is run
	Program string // $QMAILQUEUE, relative to Home and never sought in PATH; empty: bin/qmail-queue
	Env     []string
}

// System returns the queue of the home, or what $QMAILQUEUE names instead.
func System(home string) Queue {
	program, set := os.LookupEnv("QMAILQUEUE")
	if set && program == "" {
		program = "." // Compat: set is set, and nothing of that name can be run
	}
	return Queue{Home: home, Program: program, Env: os.Environ()}
}

// Message is a message on its way into the queue: write its bytes, then call
// From, To for each recipient, and Close. It is not queued unless Close returns nil.
type Message struct {
	process *os.Process
	served  *served  // in place of process and custom
	body    *os.File // write end of descriptor 0
	env     *os.File // write end of descriptor 1
	custom  *os.File // read end of descriptor 6
	out     *bufio.Writer
	failed  bool         // something could not be written, or Fail was called
	notRun  *fault.Error // why there is no process
}

const bufferSize = 32 << 10

// usual is the program that takes messages if no other is named.
const usual = "bin/qmail-queue"

// Open asks the process that stays, or starts the program. It fails only if the host
// is out of resources; a missing program or home is told by Close.
func (q Queue) Open() (*Message, error) {
	var ends [6]*os.File // message, envelope, reason: read and write end of each
	if err := pipes(ends[:4]); err != nil {
		return nil, err
	}
	m := &Message{body: ends[1], env: ends[3]}
	m.out = bufio.NewWriterSize(m.body, bufferSize)
	if q.Program == "" {
		if m.served = q.askStaying(ends[0], ends[2]); m.served != nil {
			closeAll([]*os.File{ends[0], ends[2]})
			return m, nil
		}
	}
	if err := pipes(ends[4:]); err != nil {
		closeAll(ends[:])
		return nil, err
	}
	m.custom = ends[4]
	program := q.Program
	if program == "" {
		program = usual
	}
	var err error
	m.process, err = os.StartProcess(program, []string{program}, &os.ProcAttr{
		Dir: q.Home,
		Env: q.Env,
		// Programs of the wider world write their reason to 4, ours to 6.
		Files: []*os.File{ends[0], ends[2], os.Stderr, nil, ends[5], nil, ends[5]},
	})
	ends[0].Close()
	ends[2].Close()
	ends[5].Close()
	switch {
	case err == nil:
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		closeAll([]*os.File{m.body, m.env, m.custom})
		return nil, err
	default:
		m.notRun = q.whyNotRun(err)
		m.failed = true
	}
	return m, nil
}

// pipes makes as many pipes as there is room for both their ends.
func pipes(ends []*os.File) error {
	for i := 0; i < len(ends); i += 2 {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(ends)
			return err
		}
		ends[i], ends[i+1] = r, w
	}
	return nil
}

// whyNotRun tells a bad home from a bad program.
func (q Queue) whyNotRun(cause error) *fault.Error {
	code := exitcode.QueueCannotExec
	if st, err := os.Stat(q.Home); err != nil || !st.IsDir() {
		code = exitcode.QueueHome
	}
	_, text := exitcode.Queue(code, "")
	return fault.Soft(text, cause)
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// PID is the process id of the program, which the log calls qp, or the number that
// the process that stays gave the message in its place; 0 if there is none.
func (m *Message) PID() int {
	if m.served != nil {
		return m.served.qp
	}
	if m.process == nil {
		return 0
	}
	return m.process.Pid
}

// Write adds bytes to the message. It returns no error, so that a caller need
// not look at each write: what fails is told by Close.
func (m *Message) Write(p []byte) (int, error) {
	if !m.failed {
		if _, err := m.out.Write(p); err != nil {
			m.failed = true
		}
	}
	return len(p), nil
}

// WriteString is Write for a string.
func (m *Message) WriteString(s string) (int, error) {
	if !m.failed {
		if _, err := m.out.WriteString(s); err != nil {
			m.failed = true
		}
	}
	return len(s), nil
}

// Fail makes sure that the message is not queued.
func (m *Message) Fail() { m.failed = true }

// From ends the message and names the envelope sender.
func (m *Message) From(sender string) {
	if m.body == nil {
		m.Fail()
		return
	}
	m.endBody()
	m.field('F', sender)
}

// endBody closes the message's pipe; from then on the envelope is written.
func (m *Message) endBody() {
	if !m.failed && m.out.Flush() != nil {
		m.failed = true
	}
	if m.body.Close() != nil {
		m.failed = true
	}
	m.body = nil
	m.out.Reset(m.env)
}

// To names a recipient.
func (m *Message) To(recipient string) { m.field('T', recipient) }

// field writes a letter, an address and a NUL. An address with a NUL in it would
// be read as another one, so it fails the message.
func (m *Message) field(letter byte, addr string) {
	if m.body != nil || strings.IndexByte(addr, 0) >= 0 {
		m.Fail()
	}
	if m.failed {
		return
	}
	m.out.WriteByte(letter)
	m.out.WriteString(addr)
	if m.out.WriteByte(0) != nil {
		m.failed = true
	}
}

// Close ends the envelope and waits for the verdict. Nil means that the message
// is in the queue; an error is a [fault.Error].
func (m *Message) Close() error {
	if m.body != nil {
		m.Fail()
		m.endBody()
	}
	if !m.failed && (m.out.WriteByte(0) != nil || m.out.Flush() != nil) {
		m.failed = true
	}
	m.env.Close()
	code, reason, fail := m.outcome()
	if fail != nil {
		return fail
	}
	if code == exitcode.OK {
		if !m.failed {
			return nil
		}
		code = exitcode.QueueRead // it cannot have read what could not be written
	}
	verdict, text := exitcode.Queue(code, reason)
	return &fault.Error{Perm: verdict == exitcode.Permanent, Text: text}
}

// outcome waits for the exit code, and for the reason unless that is 0.
func (m *Message) outcome() (code int, reason string, fail error) {
	if m.served != nil {
		return m.served.outcome()
	}
	defer m.custom.Close()
	if m.notRun != nil {
		return 0, "", m.notRun
	}
	custom := make(chan string, 1)
	go func() { custom <- readReason(m.custom) }()
	state, err := m.process.Wait()
	if err != nil {
		return 0, "", fault.Soft("qq waitpid surprise (#4.3.0)", err)
	}
	if !state.Exited() {
		return 0, "", fault.Soft(exitcode.QueueCrashed, nil)
	}
	if code = state.ExitCode(); code != exitcode.OK {
		// The program may have left a child behind that holds the pipe open.
		m.custom.SetReadDeadline(time.Now().Add(reasonWait))
		reason = <-custom
	}
	return code, reason, nil
}

// Limits of the reason: its bytes, and how long to wait for it once the program
// has ended.
const (
	maxReason  = 255
	reasonWait = time.Second
)

// readReason reads up to maxReason bytes and throws the rest away, so that the
// program never waits for its reader.
func readReason(r io.Reader) string {
	reason, _ := io.ReadAll(io.LimitReader(r, maxReason))
	io.Copy(io.Discard, r)
	text, _, _ := strings.Cut(string(reason), "\x00")
	return text
}
