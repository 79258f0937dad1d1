// Package local makes one delivery: one message for one recipient, as the user
// who owns the mailbox. What is to be done stands in .qmail files, which package
// dotqmail reads; this package carries it out.
//
// Instructions are carried out in their order and the first that fails ends the
// delivery. Only when all have succeeded is the message forwarded, to all
// addresses at once. A delivery that is tried again therefore repeats what had
// succeeded, but never forwards twice.
//
// A message counts as delivered when power may fail: the file is synced, and so
// is the folder that it is new in. What fails before that leaves a maildir
// without the message and an mbox as it was, to the byte.
//
// # File format
//
// A maildir(5) has a file for each message in its folder new: the lines
// Return-Path and Delivered-To, then the message as it is. An mbox(5) is one file
// with a From_ line before each message and an empty line behind it. The message
// is changed there: a line that begins with "From ", or with any number of > and
// then that, gets one more >, and a last line without newline gets it.
//
//	From sue@remote.example Sun Feb 01 09:08:07 2026
//	Return-Path: <sue@remote.example>
//	Delivered-To: kim@test.example
//	Subject: lunch
//
//	At noon?
//	>From here it is not far.
//	(an empty line)
//
// The time is in UTC. Addresses keep to one line: in the From_ line blanks, tabs
// and newlines become hyphens, in the others newlines become underscores. An mbox
// that does not end in a newline gets two before the next message. Messages and
// lines may be of any length.
//
// A maildir with a file maildirsize has a quota, as Maildir++ defines it, and what
// is delivered there has its size in its name. The first line of the file is the
// quota in bytes (S) and messages (C); 0 or nothing is no limit. Pairs of numbers
// follow, bytes and messages that came, or with a minus sign went:
//
//	100000000S,5000C
//	48213 17
//	2113 1
//	-971 -1
//
// A file over 5120 bytes, or of another form, has the maildir counted anew.
//
// Errors that come out of this package are of type [fault.Error]: a verdict and
// the text that the sender of a bounce or the reader of a log is told.
package local

import (
	"bufio"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"goqmail/dot-qmail"
	"goqmail/internal/durable"
)

// Host is what deliveries need of the machine. One Host serves many.
type Host struct {
	Name string // of the machine, in names of maildir files
	PID  int    // of this process, likewise
	Now  func() time.Time
	// Sleep waits, while somebody else has a mailbox locked.
	Sleep func(time.Duration)
	// Random gives 64 bits that no other process gets.
	Random func() uint64
	// Root is where absolute names of mailboxes begin.
	Root durable.FS
	// Lock tries to lock a mailbox; see [Lock].
	Lock func(durable.File) error

	buffers, writers sync.Pool // of *[]byte and *bufio.Writer with bufferSize bytes
}

// buffer is one to read messages into, until it is given back.
func (h *Host) buffer() (buf *[]byte, giveBack func()) {
	buf, ok := h.buffers.Get().(*[]byte)
	if !ok {
		made := make([]byte, bufferSize)
		buf = &made
	}
	return buf, func() { h.buffers.Put(buf) }
}

// writer writes to w by way of a buffer, until it is given back.
func (h *Host) writer(w io.Writer) (out *bufio.Writer, giveBack func()) {
	out, ok := h.writers.Get().(*bufio.Writer)
	if !ok {
		out = bufio.NewWriterSize(nil, bufferSize)
	}
	out.Reset(w)
	return out, func() {
		out.Reset(nil)
		h.writers.Put(out)
	}
}

// ThisHost is the machine that the program runs on.
func ThisHost() *Host {
	name, err := os.Hostname()
	if err != nil {
		name = "localhost" // names are unique without it
	}
	return &Host{
		Name:   name,
		PID:    os.Getpid(),
		Now:    time.Now,
		Sleep:  time.Sleep,
		Random: rand.Uint64,
		Root:   durable.NewDir("/"),
		Lock:   Lock,
	}
}

// Delivery is a message on its way to a recipient.
type Delivery struct {
	Host *Host

	// User is the name of the account, Home its folder's absolute name, and
	// Files that folder.
	User  string
	Home  string
	Files durable.FS

	// To and Sender are the envelope.
	To     dotqmail.Recipient
	Sender string

	// ByDefault are the instructions for a recipient who gives none.
	ByDefault string

	// Message is read from its beginning for each instruction, wherever it
	// stands. Programs that Shell runs read the same open file.
	Message io.ReadSeeker
	Shell   Shell

	// Queue opens a new message, for forwards, with that environment.
	Queue func(env []string) (Submission, error)

	// Env is the environment of this process, to which programs find the
	// delivery's own variables added, qmail-command(8).
	Env []string

	Out  io.Writer // what was done, for the log
	Warn io.Writer // warnings

	// Shared is set in a process that makes other deliveries at the same time.
	// What takes a process of its own is not done there, see [ErrShared].
	Shared bool
}

// ErrShared means that nothing was done, since the delivery takes a process of its
// own: it runs programs, which get this process's descriptors, or appends to an
// mbox, which fcntl(2) locks for a process and not for a delivery.
var ErrShared = errors.New("delivery takes a process of its own")

// Submission is a message on its way into the queue; [goqmail/internal/qq.Message]
// is one.
type Submission interface {
	io.Writer
	From(sender string)
	To(recipient string)
	Fail()        // makes sure that the message is not queued
	Close() error // nil means that it is
	PID() int     // of the program that queues it, 0 if there is none
}

// bufferSize is what is read and written at a time.
const bufferSize = 32 << 10
