package local

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goqmail/dot-qmail"
	"goqmail/internal/durable"
	"goqmail/internal/fault"
)

const (
	message  = "From: Sue <sue@remote.example>\nSubject: lunch\n\nAt noon?\n"
	addedRP  = "Return-Path: <sue@remote.example>\n"
	addedDT  = "Delivered-To: kim@test.example\n"
	ufLine   = "From sue@remote.example Sun Feb 01 09:08:07 2026\n"
	inMbox   = ufLine + addedRP + addedDT + message + "\n"
	inFolder = addedRP + addedDT + message
)

// home is a user's home with a delivery to it; messages, programs and the queue
// are played.
type home struct {
	t testing.TB
	*Delivery
	dir    string
	out    bytes.Buffer
	warn   bytes.Buffer
	ran    []string // commands
	queued []queued
	clock  *clock
}

type queued struct{ envelope, message string }

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// newHome makes a home with those lines in .qmail.
func newHome(t testing.TB, lines string) *home {
	t.Helper()
	h := &home{t: t, dir: t.TempDir(), clock: &clock{now: time.Date(2026, 2, 1, 9, 8, 7, 65_000, time.UTC)}}
	if err := MakeMaildir(h.dir + "/Maildir"); err != nil {
		t.Fatal(err)
	}
	h.Delivery = &Delivery{
		Host: &Host{
			Name: "mail.test.example", PID: 42,
			Now: h.clock.Now, Sleep: h.clock.Sleep, Random: func() uint64 { return 0xabc },
			Root: durable.NewDir(h.dir), Lock: Lock,
		},
		User: "kim", Home: h.dir, Files: durable.NewDir(h.dir),
		To:        dotqmail.Recipient{Local: "kim", Host: "test.example"},
		Sender:    "sue@remote.example",
		ByDefault: "./Mailbox",
		Message:   strings.NewReader(message),
		Shell:     h.shell,
		Queue:     func([]string) (Submission, error) { return &submission{home: h}, nil },
		Out:       &h.out, Warn: &h.warn,
	}
	h.write(".qmail", lines)
	return h
}

// shell plays commands of the form "exit N"; others print the message.
func (h *home) shell(command, dir string, env []string) (int, error) {
	h.ran = append(h.ran, command)
	switch command {
	case "true":
		return 0, nil
	case "stop":
		return 99, nil
	case "hard":
		return 100, nil
	case "soft":
		return 1, nil
	case "crash":
		return 0, fault.Soft("Aack, child crashed. (#4.3.0)", nil)
	case "head":
		_, err := h.Message.Read(make([]byte, 5))
		return 0, err
	}
	_, err := io.Copy(h.Out, h.Message)
	return 0, err
}

type submission struct {
	home   *home
	body   bytes.Buffer
	env    bytes.Buffer
	failed bool
	err    error
}

func (s *submission) Write(p []byte) (int, error) { return s.body.Write(p) }
func (s *submission) From(a string)               { s.env.WriteString("F" + a) }
func (s *submission) To(a string)                 { s.env.WriteString(" T" + a) }
func (s *submission) Fail()                       { s.failed = true }
func (s *submission) PID() int                    { return 77 }
func (s *submission) Close() error {
	if s.err != nil {
		return s.err
	}
	if s.failed {
		return fault.Soft("qq read error (#4.3.0)", nil)
	}
	s.home.queued = append(s.home.queued, queued{s.env.String(), s.body.String()})
	return nil
}

func (h *home) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// read returns a file's bytes, "(none)" if it is not there.
func (h *home) read(name string) string {
	h.t.Helper()
	b, err := os.ReadFile(filepath.Join(h.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "(none)"
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return string(b)
}

// folder returns the contents of a folder's files, sorted.
func (h *home) folder(name string) []string {
	h.t.Helper()
	entries, err := os.ReadDir(filepath.Join(h.dir, name))
	if err != nil {
		h.t.Fatal(err)
	}
	var texts []string
	for _, e := range entries {
		texts = append(texts, h.read(name+"/"+e.Name()))
	}
	slices.Sort(texts)
	return texts
}

// wantFault checks that err has that text and is permanent or not.
func wantFault(t *testing.T, err error, text string, perm bool) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Text != text || f.Perm != perm {
		t.Errorf("fails with %v, want %q, permanent %v", err, text, perm)
	}
}

// badDisk is a folder in which one step fails.
type badDisk struct {
	durable.FS
	steps  int // taken so far
	failAt int // the step that fails, counted from 1
	err    error
	failed string // what it was
}

func (d *badDisk) step(what string) error {
	d.steps++
	if d.steps != d.failAt {
		return nil
	}
	d.failed = what
	return &fs.PathError{Op: what, Path: "x", Err: d.err}
}

func (d *badDisk) Create(name string, perm fs.FileMode) (durable.File, error) {
	if err := d.step("create " + name); err != nil {
		return nil, err
	}
	return d.file(d.FS.Create(name, perm))
}

func (d *badDisk) Open(name string, flag int, perm fs.FileMode) (durable.File, error) {
	if strings.HasPrefix(name, ".qmail") {
		return d.FS.Open(name, flag, perm)
	}
	if err := d.step("open " + name); err != nil {
		return nil, err
	}
	return d.file(d.FS.Open(name, flag, perm))
}

func (d *badDisk) file(f durable.File, err error) (durable.File, error) {
	if err != nil {
		return nil, err
	}
	return &badFile{f, d}, nil
}

func (d *badDisk) Rename(from, to string) error {
	if err := d.step("rename"); err != nil {
		return err
	}
	return d.FS.Rename(from, to)
}

func (d *badDisk) Stat(name string) (fs.FileInfo, error) {
	if name != "." && !strings.HasPrefix(name, ".qmail") {
		if err := d.step("stat"); err != nil {
			return nil, err
		}
	}
	return d.FS.Stat(name)
}

func (d *badDisk) SyncDir(name string) error {
	if err := d.step("sync folder"); err != nil {
		return err
	}
	return d.FS.SyncDir(name)
}

// badFile is a file on a badDisk.
type badFile struct {
	durable.File
	disk *badDisk
}

func (f *badFile) Write(p []byte) (int, error) {
	if err := f.disk.step("write"); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f *badFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.disk.step("read"); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f *badFile) Stat() (fs.FileInfo, error) {
	if err := f.disk.step("stat file"); err != nil {
		return nil, err
	}
	return f.File.Stat()
}

func (f *badFile) Sync() error {
	if err := f.disk.step("sync"); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *badFile) Close() error {
	err := f.disk.step("close")
	if cerr := f.File.Close(); err == nil {
		err = cerr
	}
	return err
}

// lock locks files of a badDisk.
func (d *badDisk) lock(f durable.File) error {
	if err := d.step("lock"); err != nil {
		return err
	}
	return Lock(f.(*badFile).File)
}

var diskErrors = []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EDQUOT, syscall.ENOENT, syscall.EINTR}
