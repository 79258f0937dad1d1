// Package qq hands messages to qmail-queue, qmail-queue(8): the message on its
// descriptor 0, the envelope on 1, the verdict in its exit code, and with code 82
// the reason from its descriptor 6. A qmail-queue that stays is asked first, over its
// socket; if there is none, or $QMAILQUEUE names another program, one is started.
//
// # File format
//
// A request to a qmail-queue that stays, see package serve, comes with two descriptors,
// of the message and of the envelope, or it is the length of the message in bytes (4
// bytes, the highest first), the message and the envelope, which has to fit into one
// packet. For example, with · for NUL:
//
//	00 00 00 0d  Subject: hi⏎⏎  Fann@example.org·Tjoe@example.org··
//
// The text of the answer is the number that the log calls qp.
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
	Conns   *Conns // to use again, in a process that queues many messages, or nil
	Once    bool   // this process queues one message, and does nothing else meanwhile
}

// System returns the queue of the home, or what $QMAILQUEUE names instead.
func System(home string) Queue {
	program, set := os.LookupEnv("QMAILQUEUE")
	if set && program == "" {
		program = "." // Compat: set is set, and nothing of that name can be run
	}
	return Queue{Home: home, Program: program, Env: os.Environ()}
}

// SystemOnce is System for a process that queues one message, and does nothing else
// meanwhile.
func SystemOnce(home string) Queue {
	q := System(home)
	q.Once = true
	return q
}

// Message is a message on its way into the queue: write its bytes, then call
// From, To for each recipient, and Close. It is not queued unless Close returns nil.
type Message struct {
	queue   Queue
	held    *held // what was written, as long as nobody has it
	process *os.Process
	served  *served  // in place of process and custom
	body    *os.File // write end of descriptor 0
	env     *os.File // write end of descriptor 1
	custom  *os.File // read end of descriptor 6
	out     *bufio.Writer
	alone   bool         // the process that stays takes no more
	ended   bool         // what is written now is the envelope
	failed  bool         // something could not be written, or Fail was called
	notRun  *fault.Error // why there is no process
}

const bufferSize = 32 << 10

// usual is the program that takes messages if no other is named.
const usual = "bin/qmail-queue"

// Open begins a message. A program that $QMAILQUEUE names is started at once; ours is
// asked, or started, when the message is too large to be held, or by Close. Open fails
// only if the host is out of resources; a missing program or home is told by Close.
func (q Queue) Open() (*Message, error) {
	m := &Message{queue: q}
	if q.Program == "" {
		m.held = &held{}
		return m, nil
	}
	if err := m.start(); err != nil {
		return nil, err
	}
	return m, nil
}

// start asks the process that stays, or starts the program.
func (m *Message) start() error {
	q := m.queue
	var ends [6]*os.File // message, envelope, reason: read and write end of each
	if err := pipes(ends[:4]); err != nil {
		return err
	}
	m.body, m.env = ends[1], ends[3]
	m.out = bufio.NewWriterSize(m.body, bufferSize)
	if q.Program == "" && !m.alone {
		if m.served = q.ask(nil, ends[0], ends[2]); m.served != nil {
			closeAll([]*os.File{ends[0], ends[2]})
			return nil
		}
	}
	if err := pipes(ends[4:]); err != nil {
		closeAll(ends[:])
		return err
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
		return err
	default:
		m.notRun = q.whyNotRun(err)
		m.failed = true
	}
	return nil
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
// the process that stays gave the message in its place; 0 if there is none. It is
// known after Close.
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
	if !hold(m.held, p) {
		m.letGo()
		m.write(p)
	}
	return len(p), nil
}

// WriteString is Write for a string.
func (m *Message) WriteString(s string) (int, error) {
	if hold(m.held, s) {
		return len(s), nil
	}
	m.letGo()
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
	switch {
	case m.ended:
		m.Fail()
		return
	case m.held != nil:
		m.held.body = len(m.held.text)
	case m.body != nil:
		m.endBody()
	}
	m.ended = true
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
	if !m.ended || strings.IndexByte(addr, 0) >= 0 {
		m.Fail()
	}
	if !m.failed {
		m.WriteString(string(letter) + addr + "\x00")
	}
}

// Close ends the envelope and waits for the verdict. Nil means that the message
// is in the queue; an error is a [fault.Error].
func (m *Message) Close() error {
	if !m.ended {
		m.Fail()
	}
	if m.held != nil && m.failed {
		return verdict(exitcode.QueueRead, "") // as if the program had found no end
	}
	if !m.failed {
		m.WriteString("\x00")
	}
	if !m.give() {
		m.letGo()
		m.endEnvelope()
	}
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
	return verdict(code, reason)
}

func verdict(code int, reason string) error {
	verdict, text := exitcode.Queue(code, reason)
	return &fault.Error{Perm: verdict == exitcode.Permanent, Text: text}
}

// endEnvelope closes what is open of the pipes.
func (m *Message) endEnvelope() {
	if m.env == nil {
		return // nothing could be started
	}
	if !m.failed && m.out.Flush() != nil {
		m.failed = true
	}
	if m.body != nil {
		m.endBody()
	}
	m.env.Close()
}

// outcome waits for the exit code, and for the reason unless that is 0.
func (m *Message) outcome() (code int, reason string, fail error) {
	if m.served != nil {
		return m.served.outcome()
	}
	if m.process == nil && m.notRun == nil {
		m.notRun = fault.Soft("qq temporary problem (#4.3.0)", nil) // out of resources
	}
	if m.custom != nil {
		defer m.custom.Close()
	}
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
