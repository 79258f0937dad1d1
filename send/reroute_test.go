package send

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goqmail/control"
	"goqmail/internal/durable"
	"goqmail/queue"
)

func TestEras(t *testing.T) {
	routes := func(user string) *Routes { return &Routes{Virtual: control.Map{"v.example": user}} }
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	var e eras
	e.begin(at(100), routes("a"))
	e.begin(at(150), routes("a"))
	e.begin(at(200), routes("b"))
	if len(e.eras) != 2 {
		t.Errorf("%d eras, want 2: what did not change is none", len(e.eras))
	}
	for _, tt := range []struct {
		addr string
		born int64
		want string
	}{
		{"a-x@v.example", 50, "x@v.example"},
		{"a-x@v.example", 199, "x@v.example"},
		{"b-x@v.example", 200, "x@v.example"},
		{"b-x@v.example", 199, "x@v.example"}, // it had to wait for its preprocessing
		{"a-x@v.example", 200, "a-x@v.example"},
		{"a-b-x@v.example", 100, "b-x@v.example"},
	} {
		if got := e.original(queue.Local, tt.addr, at(tt.born)); got != tt.want {
			t.Errorf("%s at %d was %s, want %s", tt.addr, tt.born, got, tt.want)
		}
	}
	if got := e.original(queue.Remote, "a-x@v.example", at(100)); got != "a-x@v.example" {
		t.Errorf("a remote recipient was %s", got)
	}
}

// What is remembered is bounded, and what is in force is always there.
func TestErasBounded(t *testing.T) {
	var e eras
	for i := range 2 * maxEras {
		e.begin(time.Unix(int64(i), 0), &Routes{EnvNoAtHost: fmt.Sprint(i)})
	}
	if len(e.eras) != maxEras || e.last().EnvNoAtHost != fmt.Sprint(2*maxEras-1) {
		t.Errorf("%d eras, the last %q", len(e.eras), e.last().EnvNoAtHost)
	}
	large := control.Map{}
	for i := range maxEntries {
		large[fmt.Sprint(i)] = ""
	}
	e.begin(time.Now(), &Routes{Locals: large})
	if len(e.eras) != 1 && len(e.eras) != maxEras {
		t.Errorf("%d eras", len(e.eras))
	}
	e.begin(time.Now(), &Routes{Locals: large, EnvNoAtHost: "x"})
	if len(e.eras) != 1 || e.last().EnvNoAtHost != "x" {
		t.Errorf("%d eras, the last %q", len(e.eras), e.last().EnvNoAtHost)
	}
}

// FuzzUndo checks that whatever Route does to an address can be undone.
func FuzzUndo(f *testing.F) {
	routes := &Routes{
		EnvNoAtHost: "mx.example.org",
		PercentHack: control.Map{"percent.example": ""},
		Locals:      control.Map{"mx.example.org": ""},
		Virtual:     control.Map{"v.example": "joe-v", ".wild.example": "w", "ann@far.example": "ann", "": "all"},
	}
	for _, addr := range []string{"x@v.example", "joe-v-x@v.example", "a%b.wild.example@percent.example", "ann@far.example", "x"} {
		f.Add(addr)
	}
	f.Fuzz(func(t *testing.T, addr string) {
		ch, routed := channelOf(routes, addr)
		if ch != local {
			return
		}
		before, ok := routes.Undo(routed)
		if ch, again := channelOf(routes, before); !ok || ch != local || again != routed {
			t.Errorf("%q goes to %q, which was %q, %v", addr, routed, before, ok)
		}
	})
}

// cutFS is a disk that fails from some change on, as seen from a process that is
// killed then.
type cutFS struct {
	durable.FS
	left int
}

var errCut = errors.New("cut")

func (c *cutFS) change(do func() error) error {
	if c.left--; c.left < 0 {
		return errCut
	}
	return do()
}

func (c *cutFS) Create(name string, perm fs.FileMode) (f durable.File, err error) {
	err = c.change(func() error { f, err = c.FS.Create(name, perm); return err })
	return f, err
}

func (c *cutFS) Rename(from, to string) error {
	return c.change(func() error { return c.FS.Rename(from, to) })
}

func (c *cutFS) Remove(name string) error {
	return c.change(func() error { return c.FS.Remove(name) })
}

func (c *cutFS) SyncDir(name string) error {
	return c.change(func() error { return c.FS.SyncDir(name) })
}

// Wherever a rerouting is cut short, no recipient is missing, those who are done do
// not come back, and the next one brings it to its end.
func TestRerouteCut(t *testing.T) {
	for cut := 0; ; cut++ {
		w := newWorld(t)
		n := w.queue("ann@far.example", "x@far.example")
		write := func(name, text string) {
			if err := os.WriteFile(filepath.Join(w.home, "queue", name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w.q.Remove(queue.Todo, n)
		write(w.q.Name(queue.Info, n), "Fann@far.example\x00")
		write(w.q.Name(queue.Local, n), "Tjoe@gone.example\x00Ddone@gone.example\x00Tann@example.org\x00")
		write(w.q.Name(queue.Remote, n), "Tbob@new.example\x00Ddone@new.example\x00Teve@far.example\x00")
		var e eras
		e.begin(time.Unix(0, 0), &Routes{Locals: control.Map{"gone.example": "", "example.org": ""}})
		e.begin(time.Now(), &Routes{Locals: control.Map{"example.org": "", "new.example": ""}})
		disk := &cutFS{w.q.FS, cut}
		q, err := queue.Open(disk)
		if err != nil {
			t.Fatal(err)
		}
		o := orders{q: q, now: time.Now, log: func(...string) {}, eras: &e}
		err = o.reroute(n)
		disk.left = 1000
		toDo := func() map[string]bool {
			all := map[string]bool{}
			for ch := range channels {
				if err := o.eachToDo(channel(ch).kind(), n, func(r queue.Recipient) { all[r.Address] = true }); err != nil {
					t.Fatal(err)
				}
			}
			return all
		}
		if got := toDo(); len(got) != 4 || got["done@gone.example"] || got["done@new.example"] {
			t.Errorf("cut after %d changes: to do are %v", cut, got)
		}
		if err == nil {
			return
		}
		if err := o.reroute(n); err != nil {
			t.Fatal(err)
		}
		local, _ := os.ReadFile(filepath.Join(w.home, "queue", w.q.Name(queue.Local, n)))
		if len(toDo()) != 4 || !strings.Contains(string(local), "Tbob@new.example\x00") || strings.Contains(string(local), "joe@gone") {
			t.Errorf("cut after %d changes: then local is %q", cut, local)
		}
	}
}
