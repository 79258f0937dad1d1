package send

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goqmail/internal/durable"
	"goqmail/queue"
)

// plant puts a message into the queue as if it had been preprocessed, with its files
// due at that time.
func (w *world) plant(due time.Time, files map[queue.Kind]string) queue.Number {
	w.t.Helper()
	n := w.queue("ann@far.example", "new@example.org")
	for _, kind := range []queue.Kind{queue.Intd, queue.Todo} {
		if _, kept := files[kind]; !kept {
			if err := w.q.Remove(kind, n); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	for kind, text := range files {
		name := filepath.Join(w.home, "queue", w.q.Name(kind, n))
		if text == "" {
			continue
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
		if kind == queue.Local || kind == queue.Remote {
			os.Chtimes(name, due, due)
		}
	}
	return n
}

const sentByAnn = "Fann@far.example\x00"

func TestFoundAsLeft(t *testing.T) {
	for _, broken := range []string{"", "local", "remote", "todo"} {
		t.Run("without "+broken, func(t *testing.T) {
			w := newWorld(t)
			if broken != "" {
				w.fs = blindFS{durable.NewDir(filepath.Join(w.home, "queue")), broken}
			}
			now := time.Now()
			w.plant(now, map[queue.Kind]string{queue.Info: sentByAnn, queue.Local: "Tjoe@example.org\x00"})
			w.plant(now, map[queue.Kind]string{queue.Info: sentByAnn, queue.Local: "Dold@example.org\x00", queue.Remote: "Tbob@far.example\x00"})
			w.plant(now, map[queue.Kind]string{queue.Info: sentByAnn})
			later := w.plant(now.Add(time.Hour), map[queue.Kind]string{queue.Info: sentByAnn, queue.Remote: "Tlater@far.example\x00"})
			half := w.plant(now, map[queue.Kind]string{queue.Intd: "", queue.Todo: "", queue.Info: sentByAnn, queue.Local: "Thalf@example.org\x00"})
			ends := 4
			if broken == "todo" {
				ends-- // it cannot be preprocessed
			}
			w.start()
			w.wait("end msg", ends)
			w.stop()
			want := []string{"local ann@far.example joe@example.org", "local ann@far.example new@example.org", "remote ann@far.example bob@far.example"}
			if broken == "todo" {
				want = slices.Delete(want, 1, 2)
			}
			if got := w.deliveries(); !slices.Equal(got, want) {
				t.Errorf("deliveries %q, want %q", got, want)
			}
			for _, name := range w.left() {
				if !strings.HasSuffix(name, "/"+later.String()) && !(broken == "todo" && strings.HasSuffix(name, "/"+half.String())) {
					t.Errorf("%s is left", name)
				}
			}
		})
	}
}

// blindFS cannot list the folders of one kind, but knows what is in them.
type blindFS struct {
	durable.FS
	kind string
}

func (b blindFS) Names(folder string, yield func(string) bool) error {
	if first, _, _ := strings.Cut(folder, "/"); first == b.kind {
		return os.ErrPermission
	}
	return b.FS.Names(folder, yield)
}
