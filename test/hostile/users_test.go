package hostile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/serve"
	"goqmail/internal/testhost"
)

// many is more than there are places for local deliveries.
const many = 30

// TestNeverEnding has eve's programs never end, in ways of their own, and her messages
// be more than there are places. Mail to others goes on, also while she kills all that is
// hers, the programs of the system among them.
func TestNeverEnding(t *testing.T) {
	if !onHost(t) {
		return
	}
	for name, text := range map[string]string{
		"sleeps": "|exec sleep 100000\n", "babbles": "|exec yes\n", "burns": "|while :; do :; done\n",
		"waits": "|exec cat fifo\n", "ignores": "|trap '' TERM HUP INT; while :; do sleep 100; done\n",
		"stops": "|kill -STOP $PPID; exec sleep 100000\n", "murders": "|kill -KILL -1\n",
	} {
		place(t, "/home/eve/.qmail-"+name, text, eve)
	}
	testhost.FIFO(t, "/home/eve/fifo", eve)
	h := newHost(t, 0)
	defer h.end()
	for _, name := range []string{"sleeps", "babbles", "burns", "waits", "ignores", "stops"} {
		h.send("Subject: s\n\nb\n", "eve-"+name)
	}
	for range many {
		h.send("Subject: s\n\nb\n", "eve-sleeps")
	}
	h.log.Wait(t, "local 8/10", 1) // her share
	h.others(5)
	if strings.Contains(h.log.String(), "local 10/10") {
		t.Error("eve has all places")
	}
	// Those that ended her deliveries are none of ours.
	h.signal("-KILL")
	h.log.Wait(t, ": deferral: qmail-local_crashed.", 8)
	h.others(5)
	if log := h.log.String(); strings.Contains(log, ": failure: ") {
		t.Error("something has bounced:\n", log)
	}
}

// TestStoppedProcess has eve stop the process that makes her deliveries while it stays,
// as she may: it runs as her. Her mail waits, and arrives when it goes on.
func TestStoppedProcess(t *testing.T) {
	if !onHost(t) {
		return
	}
	h := newHost(t, 0)
	defer h.end()
	h.send("Subject: s\n\nb\n", "eve")
	if verdict, report := h.outcome("eve"); verdict != "success" {
		t.Errorf("mail to eve ends with %s: %s", verdict, report)
	}
	h.signal("-STOP")
	for range many {
		h.send("Subject: s\n\nb\n", "eve")
	}
	h.log.Wait(t, "local 8/10", 1)
	h.others(5)
	h.signal("-CONT")
	h.log.Wait(t, ": success: did_1+0+0/", 1+many+5)
	if got := count(t, "/home/eve/Maildir"); got != 1+many {
		t.Errorf("eve has %d messages, want %d", got, 1+many)
	}
}

// signal has eve send a signal to all that is hers.
func (h *host) signal(name string) {
	kill := exec.Command("/bin/kill", name, "-1")
	kill.SysProcAttr = testhost.As(eve, eve)
	kill.Run() // it may be one of those
}

// TestForkBomb has eve start as many processes as she may, and more. The limit is the
// administrator's: ulimit -u for the system, TasksMax for a service, limits.conf for
// users. Her mail waits, that of others goes on.
func TestForkBomb(t *testing.T) {
	if !onHost(t) {
		return
	}
	const most = 500 // of other hosts of tests, too
	place(t, "/home/eve/.qmail-bomb", "|while sleep 1000 >/dev/null 2>&1 & do :; done\n", eve)
	place(t, "/home/eve/.qmail-after", "|exit 0\n", eve)
	h := newHost(t, most)
	defer h.end()
	h.send("Subject: s\n\nb\n", "eve-bomb")
	if verdict, report := h.outcome("eve-bomb"); verdict == "success" {
		t.Errorf("the bomb ends with %s: %s", verdict, report)
	}
	if n := processes(eve); n < most/2 || n > most {
		t.Errorf("eve has %d processes", n)
	}
	h.send("Subject: s\n\nb\n", "eve-after")
	if verdict, report := h.outcome("eve-after"); verdict == "failure" {
		t.Errorf("more mail to eve ends with %s: %s", verdict, report)
	}
	h.others(10)
}

// TestSwappedFile has eve put one .qmail file after the other in place while mail is
// delivered: each message goes by one of them.
func TestSwappedFile(t *testing.T) {
	if !onHost(t) {
		return
	}
	must(t, os.WriteFile("/var/shadow", []byte(secret), 0o600))
	place(t, "/home/eve/one", "./Maildir/\n", eve)
	place(t, "/home/eve/two", "#\n./two/\n./Maildir/\n", eve)
	place(t, "/home/eve/list", "+list\n./Maildir/\n", eve)
	testhost.FIFO(t, "/home/eve/fifo", eve)
	maildir(t, "/home/eve/two.d", eve)
	must(t, os.Rename("/home/eve/two.d", "/home/eve/two.dir"))
	must(t, os.Symlink("/var/shadow", "/home/eve/shadow"))
	place(t, "/home/eve/two", "./two.dir/\n", eve)
	h := newHost(t, 0)
	defer h.end()
	var eves sync.WaitGroup
	over := make(chan struct{})
	eves.Go(func() {
		for i := 0; ; i++ {
			from := "/home/eve/" + []string{"one", "two", "list", "fifo", "shadow"}[i%5]
			os.Remove("/home/eve/new")
			must(t, os.Link(from, "/home/eve/new"))
			must(t, os.Rename("/home/eve/new", "/home/eve/.qmail-swapped"))
			select {
			case <-over:
				return
			default:
			}
		}
	})
	const messages = 200
	for range messages {
		h.send("Subject: s\n\nb\n", "eve-swapped")
	}
	h.log.Wait(t, "\nstarting delivery ", messages)
	h.others(1)
	close(over)
	eves.Wait()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if log := h.log.String(); strings.Count(log, "\ndelivery ") >= strings.Count(log, "\nstarting delivery ") || time.Now().After(deadline) {
			break
		}
	}
	log := h.log.String()
	arrived := count(t, "/home/eve/Maildir") + count(t, "/home/eve/two.dir")
	if got := strings.Count(log, ": success: did_1+0+0/") - 1; got != arrived { // pat's
		t.Errorf("%d messages have arrived, and the log says %d", arrived, got)
	}
	if strings.Contains(log, "secret") {
		t.Error("the log has what was not eve's to read")
	}
	t.Logf("%d of %d messages have arrived so far", arrived, messages)
}

// TestHomes looks at homes that are not as they should be: nothing bounces that an
// administrator can put right.
func TestHomes(t *testing.T) {
	if !onHost(t) {
		return
	}
	assign := ""
	homes := []struct {
		name string
		make func(dir string) error
		want string
	}{
		{"missing", func(string) error { return nil }, "deferral: Unable_to_switch_to_/home/missing:_file_does_not_exist."},
		{"closed", func(dir string) error { return os.Mkdir(dir, 0) }, "deferral: Unable_to_switch_to_/home/closed:_access_denied."},
		{"file", func(dir string) error { return os.WriteFile(dir, nil, 0o644) }, "deferral: Unable_to_switch_to_/home/file:_not_a_directory."},
		{"loop", func(dir string) error { return os.Symlink(dir, dir) }, "deferral: Unable_to_switch_to_/home/loop:_symbolic_link_loop."},
		{"fifo", func(dir string) error { return syscall.Mkfifo(dir, 0o666) }, "deferral: Unable_to_switch_to_/home/fifo:_not_a_directory."},
		{"everybodys", func(dir string) error { return errorsOf(os.Mkdir(dir, 0o777), os.Chmod(dir, 0o777)) }, "deferral: Uh-oh:_home_directory_is_writable."},
		{"sticky", func(dir string) error { return errorsOf(os.Mkdir(dir, 0o755), os.Chmod(dir, 0o755|os.ModeSticky)) }, "deferral: Home_directory_is_sticky:"},
		{"empty", func(dir string) error { return os.Mkdir(dir, 0o755) }, "deferral: Unable_to_chdir_to_maildir."},
	}
	for _, tt := range homes {
		dir := "/home/" + tt.name
		must(t, tt.make(dir))
		os.Lchown(dir, eve, eve)
		assign += fmt.Sprintf("=%s:%[1]s:%d:%[2]d:%s:::\n", tt.name, eve, dir)
	}
	must(t, os.WriteFile(home+"/users/assign", []byte(assign+".\n"), 0o644))
	must(t, exec.Command(home+"/bin/qmail-newu").Run())
	h := newHost(t, 0)
	defer h.end()
	for _, tt := range homes {
		h.send("Subject: s\n\nb\n", tt.name)
	}
	for _, tt := range homes {
		verdict, report := h.outcome(tt.name)
		if got := verdict + ": " + report; !strings.HasPrefix(strings.ToLower(got), strings.ToLower(tt.want)) {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	h.others(1)
}

func errorsOf(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestDeadHome has eve's home be on a file system that never answers, as that of a
// server that is gone: first it is asked for by qmail-getpw, then by qmail-local. Mail
// to others goes on, and hers is delivered once her home is back.
func TestDeadHome(t *testing.T) {
	if !onHost(t) {
		return
	}
	for _, table := range []bool{false, true} {
		t.Run(fmt.Sprint("users/cdb ", table), func(t *testing.T) {
			if table {
				assign := fmt.Sprintf("=eve:eve:%d:%[1]d:/home/eve:::\n.\n", eve)
				must(t, os.WriteFile(home+"/users/assign", []byte(assign), 0o644))
				must(t, exec.Command(home+"/bin/qmail-newu").Run())
			}
			deadHome(t)
		})
	}
}

func deadHome(t *testing.T) {
	h := newHost(t, 0)
	defer h.end()
	had := count(t, "/home/eve/Maildir")
	fuse, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no file system that never answers: ", err)
	}
	defer fuse.Close()
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fuse.Fd())
	if err := syscall.Mount("dead", "/home/eve", "fuse", 0, options); err != nil {
		t.Skip("no file system that never answers: ", err)
	}
	for range many {
		h.send("Subject: s\n\nb\n", "eve")
	}
	h.log.Wait(t, "local 8/10", 1)
	h.others(10)
	if log := h.log.String(); strings.Contains(log, "\ndelivery 1:") || strings.Contains(log, ": failure: ") {
		t.Error("mail to a dead home ends:\n", log)
	}
	fuse.Close() // now whoever waits is told that there is nothing
	must(t, syscall.Unmount("/home/eve", unix.MNT_DETACH))
	for alarms := 0; count(t, "/home/eve/Maildir") < had+many && alarms < 100; alarms++ {
		h.start.Process.Signal(syscall.SIGALRM)
		time.Sleep(100 * time.Millisecond)
	}
	if got := count(t, "/home/eve/Maildir") - had; got != many {
		t.Errorf("%d of %d messages have arrived in the end:\n%s", got, many, h.log)
	}
	if strings.Contains(h.log.String(), ": failure: ") {
		t.Error("something has bounced:\n", h.log)
	}
}

// TestQueueSocket has eve take all the places that she gets at the socket of the
// qmail-queue that stays, and keep them, and say what makes no sense. Others queue mail.
func TestQueueSocket(t *testing.T) {
	if !onHost(t) {
		return
	}
	h := newHost(t, 0)
	defer h.end()
	h.others(1) // the socket is there
	attack := exec.Command("/proc/self/exe", "-test.run=^TestEveAtSocket$", "-test.v")
	attack.Env = append(os.Environ(), attacker+"=1")
	attack.SysProcAttr = testhost.As(eve, eve)
	log := testhost.NewLog()
	attack.Stdout, attack.Stderr = log, log
	must(t, attack.Start())
	defer attack.Wait()
	defer attack.Process.Kill()
	log.Wait(t, "under way\n", 1)
	h.others(10)
	bounced := submission("Subject: s\n\nb\n", "pat-x", "nobody-here") // which qmail-send has to queue
	must(t, bounced.Run())
	h.log.Wait(t, "bounce msg", 1)
	names, _ := filepath.Glob(home + "/queue/mess/*/*")
	if len(names) > 100 {
		t.Errorf("eve has %d files in the queue", len(names))
	}
	t.Log(strings.TrimSpace(log.String()))
}

// attacker is set in the process that [TestEveAtSocket] is for.
const attacker = "GOQMAIL_TEST_EVE"

// TestEveAtSocket is what eve does.
func TestEveAtSocket(t *testing.T) {
	if os.Getenv(attacker) == "" {
		t.Skip("is run by TestQueueSocket")
	}
	null, err := os.Open("/dev/null")
	must(t, err)
	r, w, err := os.Pipe() // which never comes to an end
	must(t, err)
	defer w.Close()
	kept := 0
	var all []*serve.Conn
	for i := range 500 {
		c, err := serve.Dial(home + "/" + serve.QueueSocket)
		if err != nil {
			continue
		}
		all = append(all, c)
		request := []byte("\x00\x00\x00\x01")
		switch i % 5 {
		case 0: // a message that does not end
			err = c.Send(request, r, r)
		case 1: // too many descriptors
			err = c.Send(request, null, null, null, null)
		case 2: // too few
			err = c.Send(request, null)
		case 3: // no request
			err = c.Send([]byte("x"), null, null)
		case 4: // a long one
			err = c.Send(make([]byte, serve.MaxPacket), r, r)
		}
		if err == nil {
			kept++
		}
	}
	fmt.Printf("%d of %d connections under way\n", kept, len(all))
	time.Sleep(patience)
}
