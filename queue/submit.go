package queue

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"syscall"
	"time"

	"goqmail/internal/date822"
	"goqmail/internal/durable"
	"goqmail/internal/exitcode"
)

// MaxAddress is the length in bytes of the longest envelope address that
// qmail-queue takes.
const MaxAddress = 1002

// Failure is why a message was not queued.
type Failure struct {
	Code int // exit code of qmail-queue, see package exitcode
	Err  error
}

func (f *Failure) Error() string { return f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

func failure(code int, format string, args ...any) error {
	return &Failure{code, fmt.Errorf(format, args...)}
}

// Origin says who queues a message.
type Origin struct {
	UID     int
	PID     int
	Account string // alias, qmaild or qmails if the user is one of these
	Time    time.Time
}

// received is the header line that qmail-queue puts before a message.
func (o Origin) received() string {
	by := "by uid " + strconv.Itoa(o.UID)
	switch o.Account {
	case "alias":
		by = "by alias"
	case "qmaild":
		by = "from network"
	case "qmails":
		by = "for bounce"
	}
	return "Received: (qmail " + strconv.Itoa(o.PID) + " invoked " + by + "); " + date822.Format(o.Time) + "\n"
}

// Submit queues one message, as qmail-queue(8) does. The envelope is F, the
// envelope sender, NUL, then T, recipient, NUL for each recipient, then NUL; what
// follows is not looked at. When Submit returns nil the message will survive a
// crash; otherwise it is not in the queue, and the error is a [*Failure].
func (q *Queue) Submit(message, envelope io.Reader, who Origin) (Number, error) {
	return (&submission{q: q, who: who}).submit(message, envelope)
}

func (s *submission) submit(message, envelope io.Reader) (Number, error) {
	err := s.run(message, envelope)
	if err != nil {
		s.undo()
	}
	s.close()
	if err != nil {
		return 0, err
	}
	return s.n, nil
}

type submission struct {
	q      *Queue
	who    Origin
	n      Number
	spares *Spares // nil in a process that takes one message

	mess, intd         durable.File
	madeMess, madeIntd bool
	queued             bool // linked into todo: nothing may be taken back any more
}

func (s *submission) run(message, envelope io.Reader) error {
	if err := s.takeNumber(); err != nil {
		return err
	}
	if err := s.writeMessage(message); err != nil {
		return err
	}
	if err := s.writeEnvelope(envelope); err != nil {
		return err
	}
	if err := s.cut(); err != nil {
		return err
	}
	if err := s.sync(); err != nil {
		return err
	}
	if err := s.stillThere(); err != nil {
		return err
	}
	if err := s.nameTodo(); err != nil {
		return failure(exitcode.QueueTodo, "name todo: %w", err)
	}
	s.queued = true
	if err := s.q.SyncFolders(s.n, Todo); err != nil {
		return failure(exitcode.QueueTodo, "sync todo: %w", err)
	}
	return nil
}

// stillThere fails if it took so long, or the clock was set so far, that the message was
// taken for garbage.
func (s *submission) stillThere() error {
	st, err := s.mess.Stat()
	if err != nil {
		return failure(exitcode.QueueWrite, "stat mess: %w", err)
	}
	if !hasName(st) {
		return failure(exitcode.QueueTimeout, "mess/%d is gone", s.n)
	}
	return nil
}

// nameTodo queues the message. The name in intd, which qmail-clean removes with the
// one in todo, need not stay: a process that takes many messages spares it the work.
func (s *submission) nameTodo() error {
	intd, todo := s.q.Name(Intd, s.n), s.q.Name(Todo, s.n)
	if s.spares == nil {
		return s.q.FS.Link(intd, todo)
	}
	return s.q.FS.Rename(intd, todo)
}

// maxTries is how many inode numbers in use are passed over, in a queue that was
// copied from elsewhere, before giving up.
const maxTries = 1000

// takeNumber makes mess/S/N, where N is the inode number of that file. The files
// of numbers passed over are kept until one was found, since the file system
// would give out the same number again.
func (s *submission) takeNumber() error {
	if s.reuse() {
		return nil
	}
	var passed []string
	defer func() {
		for _, name := range passed {
			s.q.FS.Remove(name)
		}
	}()
	for i := 1; i <= maxTries; i++ {
		name, err := s.createPid(i)
		if err != nil {
			return err
		}
		passed = append(passed, name)
		taken, err := s.link(name)
		if err != nil || !taken {
			return err
		}
		s.mess.Close()
	}
	return failure(exitcode.QueueMess, "no number is free in mess")
}

// reuse takes a spare file and its number.
func (s *submission) reuse() bool {
	if s.spares == nil {
		return false
	}
	if s.mess, s.n = s.spares.takeMess(); s.mess == nil {
		return false
	}
	s.madeMess = true
	return true
}

func (s *submission) createPid(try int) (name string, err error) {
	base := "pid/" + strconv.Itoa(s.who.PID) + "." + strconv.FormatInt(s.who.Time.Unix(), 10) + "."
	for seq := try; seq < try+10; seq++ {
		name = base + strconv.Itoa(seq)
		s.mess, err = s.q.FS.Create(name, 0o644)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err != nil {
		return "", failure(exitcode.QueuePid, "create in pid: %w", err)
	}
	return name, nil
}

// link gives the file its number; taken is true if another message has it.
func (s *submission) link(name string) (taken bool, err error) {
	st, err := s.mess.Stat()
	if err != nil {
		return false, failure(exitcode.QueuePid, "stat in pid: %w", err)
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return false, failure(exitcode.QueueBug, "stat in pid: no inode number")
	}
	s.n = Number(sys.Ino)
	if s.inUse() {
		return true, nil
	}
	err = s.q.FS.Link(name, s.q.Name(Mess, s.n))
	if errors.Is(err, fs.ErrExist) {
		return true, nil
	}
	if err != nil {
		return false, failure(exitcode.QueueMess, "link mess: %w", err)
	}
	s.madeMess = true
	return false, nil
}

// inUse looks for an envelope that a crash has brought back, or a restore: this
// message's must not be mixed up with it.
func (s *submission) inUse() bool {
	for _, kind := range []Kind{Todo, Intd} {
		if has, err := s.q.Has(kind, s.n); has && err == nil {
			return true
		}
	}
	return false
}

const copySize = 64 << 10

func (s *submission) writeMessage(message io.Reader) error {
	buf := s.buffer()
	defer s.giveBack(buf)
	used := copy(*buf, s.who.received())
	for {
		n, err := message.Read((*buf)[used:])
		used += n
		if used == copySize || err != nil {
			if _, err := s.mess.Write((*buf)[:used]); err != nil {
				return failure(exitcode.QueueWrite, "write mess: %w", err)
			}
			used = 0
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return failure(exitcode.QueueRead, "read message: %w", err)
		}
	}
}

// buffer is what the message goes through.
func (s *submission) buffer() *[]byte {
	if s.spares != nil {
		if buf, ok := s.spares.buffers.Get().(*[]byte); ok {
			return buf
		}
	}
	buf := make([]byte, copySize)
	return &buf
}

func (s *submission) giveBack(buf *[]byte) {
	if s.spares != nil {
		s.spares.buffers.Put(buf)
	}
}

func (s *submission) createIntd() (err error) {
	if s.spares != nil {
		s.intd = s.spares.takeTodo(s.n)
	}
	if s.intd == nil {
		s.intd, err = s.q.FS.Create(s.q.Name(Intd, s.n), 0o644)
	}
	if err != nil {
		return failure(exitcode.QueueIntd, "create intd: %w", err)
	}
	s.madeIntd = true
	return nil
}

func (s *submission) writeEnvelope(envelope io.Reader) error {
	if err := s.createIntd(); err != nil {
		return err
	}
	out := bufio.NewWriter(s.intd)
	out.WriteString("u" + strconv.Itoa(s.who.UID) + "\x00p" + strconv.Itoa(s.who.PID) + "\x00")
	if err := copyEnvelope(out, bufio.NewReader(envelope)); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return failure(exitcode.QueueWrite, "write intd: %w", err)
	}
	return nil
}

// copyEnvelope copies the records of an envelope and checks their form.
func copyEnvelope(out *bufio.Writer, in *bufio.Reader) error {
	for letter := byte('F'); ; letter = 'T' {
		record, err := readRecord(in, letter)
		if err != nil || record == nil {
			return err
		}
		if _, err := out.Write(record); err != nil {
			return failure(exitcode.QueueWrite, "write intd: %w", err)
		}
	}
}

// readRecord returns a record with its letter and its NUL. Nil is the end, which
// can only stand where a recipient could.
func readRecord(in *bufio.Reader, letter byte) ([]byte, error) {
	first, err := in.ReadByte()
	if err != nil {
		return nil, failure(exitcode.QueueRead, "read envelope: %w", err)
	}
	if first == 0 && letter == 'T' {
		return nil, nil
	}
	if first != letter {
		return nil, failure(exitcode.QueueEnvelope, "envelope has record %q in place of %q", first, letter)
	}
	record := []byte{first}
	for {
		part, err := in.ReadSlice(0)
		record = append(record, part...)
		if n := len(record) - 1; n > MaxAddress+1 || (n == MaxAddress+1 && record[n] != 0) {
			return nil, failure(exitcode.QueueAddressTooLong, "envelope address of more than %d bytes", MaxAddress)
		}
		if err == nil {
			return record, nil
		}
		if err != bufio.ErrBufferFull {
			return nil, failure(exitcode.QueueRead, "read envelope: %w", err)
		}
	}
}

// cut takes away what files that were used again held before.
func (s *submission) cut() error {
	if s.spares == nil {
		return nil
	}
	for _, f := range []durable.File{s.mess, s.intd} {
		if err := cut(f); err != nil {
			return failure(exitcode.QueueWrite, "truncate: %w", err)
		}
	}
	return nil
}

// sync makes message and envelope durable, and the entry of the message. The
// entry of intd need not be: todo is the name that counts.
func (s *submission) sync() error {
	err := durable.Together(
		s.mess.Sync,
		s.intd.Sync,
		func() error { return s.q.SyncFolders(s.n, Mess) },
	)
	if err != nil {
		return failure(exitcode.QueueWrite, "sync: %w", err)
	}
	return nil
}

// close gives the descriptors back. What was written is synced by then, or taken
// back, so that its result says nothing.
func (s *submission) close() {
	for _, f := range []durable.File{s.mess, s.intd} {
		if f != nil {
			f.Close()
		}
	}
}

// undo takes away what was made of a message that is not queued, envelope first,
// so that at each moment it is a state that qmail-clean knows. Truncating first
// gives the space back even if somebody holds the file open.
func (s *submission) undo() {
	if s.queued {
		return
	}
	if s.madeIntd {
		s.intd.Truncate(0)
		if s.q.Remove(Intd, s.n) != nil {
			return
		}
	}
	if s.madeMess {
		s.mess.Truncate(0)
		s.q.Remove(Mess, s.n)
	}
}
