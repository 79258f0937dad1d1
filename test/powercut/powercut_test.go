package powercut

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"goqmail/internal/simdisk"
)

// mail is a message of the test. Its text is found again in what was delivered.
type mail struct {
	name       string
	sender     string
	recipients []string
	text       string
}

func newMail(name, sender string, recipients ...string) mail {
	return mail{name, sender, recipients, "Subject: " + name + "\n\n" + strings.Repeat("the text of "+name+"\n", 3) + "end of " + name + "\n"}
}

// mails use the same numbers one after the other.
var mails = [][]mail{
	{newMail("one", "eve@far.test", "ann@here.test")},
	{newMail("two", "ann@here.test", "ann@here.test", "bob@here.test", "nobody@far.test", "later@far.test")},
	{newMail("three", "eve@far.test", "bob@here.test"), newMail("four", "bob@here.test", "ok@far.test")},
}

func all() []mail { return slices.Concat(mails...) }

// between is the time between the messages of the scenario.
const between = 10 * time.Second

// scenario runs the system on a new disk and returns all that was done there.
func scenario(t *testing.T, home string, w way) simdisk.Trace {
	var trace simdisk.Trace
	synctest.Test(t, func(t *testing.T) {
		disk := simdisk.New(folders...)
		h := newHost(t, home, disk, w)
		for _, some := range w.mails {
			for _, m := range some {
				h.submit(m)
			}
			time.Sleep(between)
		}
		h.settle()
		h.stop()
		if broken := judge(nil, disk, h); broken != "" {
			t.Logf("%s\n%q", h.log.String(), disk.Files("home"))
			t.Errorf("without a power cut: %s", broken)
		}
		trace = disk.Trace()
	})
	return trace
}

// restart lets the system find a disk after a power cut, waits until it has nothing
// left to do, and says what is wrong then.
func restart(t *testing.T, home string, crash simdisk.Crash, w way) (broken string) {
	found := fmt.Sprintf("%q", crash.Disk.Files("queue"))
	if state := badState(crash.Disk); state != "" {
		return state + ": " + found
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(4 * between) // the clock goes on
		h := newHost(t, home, crash.Disk, w)
		h.settle()
		h.stop()
		if broken = judge(crash.Marks, crash.Disk, h); broken != "" {
			broken += "; found was " + found + "; the log after it:\n" + h.log.String()
		}
	})
	return broken
}

// judge says what is wrong with what was delivered: a message that was accepted is
// with each recipient, or the sender was told, and nothing is there but whole
// messages, each with its own recipients.
func judge(before []string, disk *simdisk.Disk, h *host) string {
	mails := all()
	marks := slices.Concat(before, disk.Marks())
	boxes := map[string]string{"ann@here.test": "", "bob@here.test": ""}
	for name, text := range disk.Files("home") {
		switch {
		case strings.HasPrefix(name, "home/ann/Maildir/new/"):
			boxes["ann@here.test"] += text
			if problem := strange(text); problem != "" {
				return fmt.Sprintf("%s is %s: %q", name, problem, text)
			}
		case name == "home/bob/Mailbox":
			boxes["bob@here.test"] = text
		}
	}
	for _, m := range mails {
		accepted := slices.Contains(marks, "accepted "+m.name)
		for _, to := range m.recipients {
			has := strings.Contains(boxes[to], m.text) || slices.Contains(marks, fmt.Sprintf("arrived %s %q", to, m.text))
			told := strings.Contains(boxes[m.sender], "\n<"+to+">:\n") && strings.Contains(boxes[m.sender], m.text)
			if accepted && !has && !told {
				return fmt.Sprintf("message %s was accepted, and %s never gets it", m.name, to)
			}
		}
		for to, text := range boxes {
			if !slices.Contains(m.recipients, to) && to != m.sender && strings.Contains(text, m.text) {
				return fmt.Sprintf("message %s is not for %s", m.name, to)
			}
		}
		for _, mark := range marks {
			to, text, ok := strings.Cut(strings.TrimPrefix(mark, "arrived "), " ")
			if !ok || !strings.HasPrefix(mark, "arrived ") {
				continue
			}
			if text == fmt.Sprintf("%q", m.text) && !slices.Contains(m.recipients, to) {
				return fmt.Sprintf("message %s is not for %s", m.name, to)
			}
			if !slices.ContainsFunc(mails, func(m mail) bool { return text == fmt.Sprintf("%q", m.text) }) {
				return fmt.Sprintf("%s gets %s", to, text)
			}
		}
	}
	for name := range disk.Files("queue") {
		kind := strings.Split(name, "/")[1]
		if slices.Contains([]string{"todo", "info", "local", "remote", "bounce"}, kind) && h.q != nil && !orphan(disk, name) {
			return fmt.Sprintf("%s is left; the log:\n%s", name, h.log.String())
		}
	}
	return ""
}

// strange says what is wrong with a message in a maildir, if something is.
func strange(text string) string {
	for _, m := range all() {
		if strings.HasSuffix(text, m.text) {
			return ""
		}
	}
	if !strings.Contains(text, "\nHi. This is the qmail-send program at ") {
		return "none of the messages"
	}
	if !strings.HasSuffix(text, "\n") {
		return "not whole"
	}
	return ""
}

// orphan reports whether a file belongs to no message: what a crash brought back, which
// is passed over.
func orphan(disk *simdisk.Disk, name string) bool {
	number := name[strings.LastIndexByte(name, '/')+1:]
	files := disk.Files("queue")
	for other := range files {
		if strings.HasPrefix(other, "queue/info/") && strings.HasSuffix(other, "/"+number) || other == "queue/todo/"+number {
			return false
		}
	}
	return true
}

// badState says what is wrong with the states of the messages on a disk: there is no
// message of a number that has an envelope.
func badState(disk *simdisk.Disk) string {
	files := disk.Files("queue")
	for name := range files {
		number, ok := strings.CutPrefix(name, "queue/todo/")
		if !ok {
			continue
		}
		if files["queue/mess/0/"+number] == "" && files["queue/mess/1/"+number] == "" {
			return fmt.Sprintf("todo/%s has no message", number)
		}
	}
	return ""
}

// explore cuts the power at every moment of a scenario, on as many homes at a time as
// there are processors, until something is found broken. It returns how many different
// disks there were.
func explore(t *testing.T, w way) (disks int, broken string) {
	trace := scenario(t, newHome(t), w)
	crashes := make(chan simdisk.Crash)
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		home := newHome(t)
		workers.Go(func() {
			for crash := range crashes {
				if problem := restart(t, home, crash, w); problem != "" {
					mu.Lock()
					if broken == "" {
						broken = fmt.Sprintf("%v: %s", crash, problem)
					}
					mu.Unlock()
				}
			}
		})
	}
	for crash := range trace.Crashes() {
		mu.Lock()
		over := broken != ""
		mu.Unlock()
		if over {
			break
		}
		crashes <- crash
		disks++
	}
	close(crashes)
	workers.Wait()
	return disks, broken
}

// ways are the ways that mail takes when little comes in, when much does, and when
// qmail-send is faster than qmail-queue.
var ways = map[string]way{"idle": {mails: mails}, "loaded": {loaded: true, mails: mails}, "hasty": {slow: true, mails: mails[:2]}}

// TestPowerCut cuts the power at every moment.
func TestPowerCut(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute or more")
	}
	for name, w := range ways {
		t.Run(name, func(t *testing.T) {
			disks, broken := explore(t, w)
			if broken != "" {
				t.Error(broken)
			}
			t.Logf("%d different disks after a power cut", disks)
		})
	}
}

// syncs are all that are needed, as simdisk.Disk.Folder calls them, those of the queue
// with the name of the program before them. Each one that is left out loses mail.
var syncs = map[string][]string{
	"idle": {
		"qmail-queue file pid/", "qmail-queue folder mess/", "qmail-queue file intd/", "qmail-queue folder todo",
		"qmail-send file info/", "qmail-send folder info/", "qmail-send file local/", "qmail-send folder local/",
		"qmail-send file remote/", "qmail-send folder remote/", "qmail-send file bounce/", "qmail-send folder bounce",
		"file Maildir/tmp/", "folder Maildir/new", "file Mailbox", "folder .",
		"qmail-send folder info/*, names gone", "qmail-send folder todo, names gone",
	},
	"loaded": {
		"qmail-queue file pid/", "qmail-queue file mess/", "qmail-queue folder mess/", "qmail-queue file intd/",
		"qmail-queue folder todo", "qmail-clean folder todo",
		"qmail-send file info/", "qmail-send folder info/", "qmail-send file local/", "qmail-send folder local/",
		"qmail-send file remote/", "qmail-send folder remote/",
	},
	"hasty": {"qmail-send folder todo"},
}

// TestSyncsAreNeeded leaves out one kind of sync after the other.
func TestSyncsAreNeeded(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute or more")
	}
	for name, w := range ways {
		for _, prefix := range syncs[name] {
			t.Run(name+" "+prefix, func(t *testing.T) {
				begin, end, _ := strings.Cut(prefix, "*")
				w.skip = func(sync string) bool { return strings.HasPrefix(sync, begin) && strings.HasSuffix(sync, end) }
				disks, broken := explore(t, w)
				if broken == "" {
					t.Errorf("nothing is lost without it, on %d disks", disks)
				}
				first, _, _ := strings.Cut(broken, "; ")
				t.Logf("disk %d: %s", disks, first)
			})
		}
	}
}
