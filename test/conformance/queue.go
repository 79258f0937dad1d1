package conformance

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// split is the number of folders that messages are spread over.
const split = 23

// makeQueue makes an empty queue.
func makeQueue(queue string) error {
	folders := []string{"pid", "intd", "todo", "bounce", "lock"}
	for _, d := range []string{"mess", "info", "local", "remote"} {
		for i := range split {
			folders = append(folders, d+"/"+strconv.Itoa(i))
		}
	}
	for _, d := range folders {
		if err := os.MkdirAll(filepath.Join(queue, d), 0o755); err != nil {
			return err
		}
	}
	if err := syscall.Mkfifo(filepath.Join(queue, "lock/trigger"), 0o666); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(queue, "lock/sendmutex"), nil, 0o600); err != nil {
		return err
	}
	return writeFile(filepath.Join(queue, "lock/tcpto"), make([]byte, 1024), 0o644)
}

// messageNames gives message numbers the names that they have in recordings:
// {message1}, {message2} and so on, as they are met.
type messageNames struct {
	name  map[string]string
	count int
	ended map[string]bool // numbers that may be used again, for another message
}

func newMessageNames() messageNames {
	return messageNames{name: map[string]string{}, ended: map[string]bool{}}
}

func (m *messageNames) of(number string) string {
	if _, ok := m.name[number]; !ok {
		m.count++
		m.name[number] = fmt.Sprintf("{message%d}", m.count)
	}
	return m.name[number]
}

var messageNumber = regexp.MustCompile(`(msg |mess/|info/|local/|remote/|bounce/|todo/|foop/)(\d+/)?(\d+)`)

// normal replaces the message numbers in a text, and the folder they are in.
func (m *messageNames) normal(b Bytes) Bytes {
	return Bytes(messageNumber.ReplaceAllStringFunc(string(b), func(s string) string {
		part := messageNumber.FindStringSubmatch(s)
		return part[1] + m.of(part[3])
	}))
}

// logLine is normal for a line of qmail-send, which says when a number begins
// and ends to stand for a message.
func (m *messageNames) logLine(line, normal string) string {
	if number, ok := strings.CutPrefix(line, "new msg "); ok && m.ended[number] {
		delete(m.ended, number)
		delete(m.name, number)
	}
	if number, ok := strings.CutPrefix(line, "end msg "); ok {
		m.ended[number] = true
	}
	return string(m.normal(Bytes(normal)))
}

// nameMessages names the messages in the queue that have no name yet.
func (w *world) nameMessages() {
	files, _ := filepath.Glob(filepath.Join(w.home, "queue/mess/*/*"))
	for _, f := range files {
		w.messages.of(filepath.Base(f))
	}
}

// queueLeft lists the files left in the queue, without those in lock.
func (w *world) queueLeft() map[string]Bytes {
	left := map[string]Bytes{}
	files := snapshot(filepath.Join(w.home, "queue"))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, "/") || strings.HasPrefix(name, "lock/") {
			continue
		}
		kind, _, _ := strings.Cut(name, "/")
		number := w.messages.of(filepath.Base(name))
		left["queue/"+kind+"/"+number] = w.messages.normal(w.normal(files[name]))
	}
	return left
}
