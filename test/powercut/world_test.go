// Package powercut cuts the power at every moment of queueing, delivering, bouncing
// and cleaning, on a simulated disk, and looks whether any mail is lost.
package powercut

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"goqmail/dot-qmail"
	"goqmail/internal/durable"
	"goqmail/internal/fault"
	"goqmail/internal/sendctl"
	"goqmail/internal/simdisk"
	"goqmail/local"
	"goqmail/queue"
	"goqmail/send"
)

// folders of the disk: a queue that is split in two, a user with a maildir, and one
// with an mbox.
var folders = []string{
	"queue/mess/0", "queue/mess/1", "queue/intd", "queue/todo", "queue/pid", "queue/bounce",
	"queue/info/0", "queue/info/1", "queue/local/0", "queue/local/1", "queue/remote/0", "queue/remote/1",
	"queue/lock/send/local/0", "queue/lock/send/local/1", "queue/lock/send/remote/0", "queue/lock/send/remote/1",
	"home/ann", "home/ann/Maildir/tmp", "home/ann/Maildir/new", "home/ann/Maildir/cur", "home/ann/Maildir", "home/bob",
}

// way is how the system works.
type way struct {
	loaded bool // as if many messages came in: files are used again, info is not written
	slow   bool // qmail-send sees what qmail-queue has not synced yet
	mails  [][]mail
	skip   func(sync string) bool
}

// skipOf is skip for the syncs of a program, with its name before them.
func (w way) skipOf(program string) func(sync string) bool {
	return func(sync string) bool { return w.skip != nil && w.skip(program+" "+sync) }
}

// slowSync lets time go by before todo is synced, in which others see what is not
// synced yet.
type slowSync struct{ durable.FS }

func (s slowSync) SyncDir(folder string) error {
	if folder == "todo" {
		time.Sleep(between)
	}
	return s.FS.SyncDir(folder)
}

// host is the system on a disk. The programs that others start are calls here.
type host struct {
	t    *testing.T
	home string // the real one, with the control files and locks
	disk *simdisk.Disk
	way

	q      *queue.Queue
	spares *queue.Spares
	server *send.Server
	ended  chan struct{}

	mu    sync.Mutex
	tries map[string]int
	log   strings.Builder
}

// newHome makes a folder for what is not simulated.
func newHome(t *testing.T) string {
	home := t.TempDir()
	must(t, os.Mkdir(filepath.Join(home, "control"), 0o755))
	for name, text := range map[string]string{"me": "here.test\n", "concurrencylocal": "2\n", "concurrencyremote": "2\n"} {
		must(t, os.WriteFile(filepath.Join(home, "control", name), []byte(text), 0o644))
	}
	must(t, queue.Make(filepath.Join(home, "queue"), 1))
	// Whoever waits for a FIFO or a socket keeps the simulated clock from going on.
	must(t, os.Remove(filepath.Join(home, "queue/lock/trigger")))
	must(t, os.MkdirAll(filepath.Join(home, "queue", sendctl.Path, "in the way"), 0o700))
	return home
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newHost starts the system on a disk, in a bubble of simulated time.
func newHost(t *testing.T, home string, disk *simdisk.Disk, w way) *host {
	h := &host{t: t, home: home, disk: disk, way: w, tries: map[string]int{}, ended: make(chan struct{})}
	fsys := disk.Folder("queue", w.skipOf("qmail-queue"))
	if w.slow {
		fsys = slowSync{fsys}
	}
	var err error
	h.q, err = queue.Open(fsys)
	must(t, err)
	h.spares = queue.NewSpares(h.q)
	h.spares.Drop()
	many := 1000
	if w.loaded {
		many = -1
	}
	localTo, localFrom := h.spawner(h.deliverLocal)
	remoteTo, remoteFrom := h.spawner(h.deliverRemote)
	cleanTo, cleanFrom := h.cleaner()
	h.server, err = send.Start(send.Options{
		Home: home, FS: disk.Folder("queue", w.skipOf("qmail-send")), Log: h, Now: time.Now, Submit: h.open, Many: many,
		Local:  send.Spawner{To: localTo, From: localFrom},
		Remote: send.Spawner{To: remoteTo, From: remoteFrom},
		Clean:  send.Clean{To: cleanTo, From: cleanFrom},
	})
	must(t, err)
	go func() {
		h.server.Run()
		for _, w := range []io.Closer{localTo, remoteTo, cleanTo} {
			w.Close()
		}
		close(h.ended)
	}()
	return h
}

func (h *host) stop() {
	h.server.Stop()
	<-h.ended
	synctest.Wait()
}

// settle waits until nothing is left to do, or for half an hour, in which all that was
// deferred has been tried again.
func (h *host) settle() {
	for range 60 {
		time.Sleep(30 * time.Second)
		if !slices.ContainsFunc(slices.Collect(maps.Keys(h.disk.Files("queue"))), isWork) {
			return
		}
	}
}

// isWork reports whether a file of the queue belongs to a message that is to be
// delivered.
func isWork(name string) bool {
	return strings.HasPrefix(name, "queue/todo/") || strings.HasPrefix(name, "queue/info/")
}

// Write takes the log.
func (h *host) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.Write(p)
}

// origin is who queues; its process id makes names in pid.
func (h *host) origin(account string) queue.Origin {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tries["pid"]++
	return queue.Origin{UID: 1000, PID: h.tries["pid"], Account: account, Time: time.Now()}
}

// submit is qmail-queue.
func (h *host) submit(m mail) {
	envelope := "F" + m.sender + "\x00"
	for _, r := range m.recipients {
		envelope += "T" + r + "\x00"
	}
	if err := h.queue(m.text, envelope+"\x00", h.origin("")); err != nil {
		h.t.Errorf("message %s is not queued: %v", m.name, err)
		return
	}
	h.disk.Mark("accepted " + m.name)
}

func (h *host) queue(message, envelope string, who queue.Origin) error {
	submit := h.q.Submit
	if h.loaded {
		submit = h.spares.Submit
	}
	_, err := submit(strings.NewReader(message), strings.NewReader(envelope), who)
	return err
}

// notice is a message that qmail-send queues.
type notice struct {
	strings.Builder
	h        *host
	envelope strings.Builder
	failed   bool
}

func (h *host) open() (send.Submission, error) { return &notice{h: h}, nil }

func (n *notice) From(sender string)  { n.envelope.WriteString("F" + sender + "\x00") }
func (n *notice) To(recipient string) { n.envelope.WriteString("T" + recipient + "\x00") }
func (n *notice) Fail()               { n.failed = true }
func (n *notice) PID() int            { return 1 }

func (n *notice) Close() error {
	if n.failed {
		return io.ErrUnexpectedEOF
	}
	return n.h.queue(n.String(), n.envelope.String()+"\x00", n.h.origin("qmails"))
}

// cleaner is qmail-clean.
func (h *host) cleaner() (to *io.PipeWriter, from *io.PipeReader) {
	commands, to := io.Pipe()
	from, answers := io.Pipe()
	q, err := queue.Open(h.disk.Folder("queue", h.skipOf("qmail-clean")))
	must(h.t, err)
	go func() {
		q.Clean(commands, answers, time.Now, nil)
		answers.Close()
	}()
	return to, from
}

// spawner is qmail-lspawn or qmail-rspawn.
func (h *host) spawner(deliver func(message durable.File, sender, recipient string) string) (to *io.PipeWriter, from *io.PipeReader) {
	commands, to := io.Pipe()
	from, answers := io.Pipe()
	go func() {
		defer answers.Close()
		answers.Write([]byte{10})
		in := bufio.NewReader(commands)
		for {
			number, err := in.ReadByte()
			if err != nil {
				return
			}
			var fields [3]string
			for i := range fields {
				if fields[i], err = in.ReadString(0); err != nil {
					return
				}
				fields[i] = strings.TrimSuffix(fields[i], "\x00")
			}
			go func() {
				report := "Zno message\n"
				if message, err := h.q.FS.Open("mess/"+fields[0], os.O_RDONLY, 0); err == nil {
					report = deliver(message, fields[1], fields[2])
					message.Close()
				}
				answers.Write([]byte(string(rune(number)) + report + "\x00"))
			}()
		}
	}()
	return to, from
}

// deliverLocal is qmail-local: ann has a maildir, bob an mbox.
func (h *host) deliverLocal(message durable.File, sender, recipient string) string {
	user, _, _ := strings.Cut(recipient, "@")
	machine := local.ThisHost()
	machine.Now, machine.Sleep = time.Now, time.Sleep
	machine.Root = h.disk.Folder("", h.skip)
	machine.Lock = simdisk.Lock
	var said strings.Builder
	d := &local.Delivery{
		Host: machine, User: user, Home: "/home/" + user, Files: h.disk.Folder("home/"+user, h.skip),
		To:     dotqmail.Recipient{Local: user, Host: "here.test"},
		Sender: sender, ByDefault: map[string]string{"ann": "./Maildir/", "bob": "./Mailbox"}[user],
		Message: message, Out: &said, Warn: &said,
		Shell: func(string, string, []string) (int, error) { return 111, nil },
	}
	if err := d.Deliver(); err != nil {
		if fault.IsPermanent(err) {
			return "D" + err.Error() + "\n"
		}
		return "Z" + err.Error() + "\n"
	}
	return "K" + said.String()
}

// deliverRemote is qmail-remote, to hosts where one recipient is not known, and one is
// not there at first. What arrives there is safe.
func (h *host) deliverRemote(message durable.File, _, recipient string) string {
	text, err := io.ReadAll(message)
	if err != nil {
		return "Zcannot read the message\n"
	}
	h.mu.Lock()
	h.tries[recipient]++
	try := h.tries[recipient]
	h.mu.Unlock()
	switch user, _, _ := strings.Cut(recipient, "@"); {
	case user == "nobody":
		return "Dno such user\n"
	case user == "later" && try == 1:
		return "Znot now\n"
	}
	_, body, _ := strings.Cut(string(text), "\n") // without the Received line
	h.disk.Mark(fmt.Sprintf("arrived %s %q", recipient, body))
	return "Kok\n"
}
