package send

import (
	"fmt"
	"testing"
	"time"

	"goqmail/control"
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
		ch, routed := routes.Route(addr)
		if ch != local {
			return
		}
		before, ok := routes.undo(routed)
		if ch, again := routes.Route(before); !ok || ch != local || again != routed {
			t.Errorf("%q goes to %q, which was %q, %v", addr, routed, before, ok)
		}
	})
}
