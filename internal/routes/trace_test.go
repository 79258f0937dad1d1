package routes

import (
	"reflect"
	"testing"

	"goqmail/control"
)

var traced = &Routes{
	EnvNoAtHost: "here.test",
	PercentHack: control.Set([]string{"hack.test", "here.test"}),
	Locals:      control.Set([]string{"here.test"}),
	Virtual: control.Pairs([]string{
		"virt.test:virt", ".virt.test:sub", "one@virt.test:joe", "no.virt.test:", ".far.test:far", ":all",
	}),
}

func TestTrace(t *testing.T) {
	for _, tt := range []struct {
		recipient string
		want      Trace
	}{
		{"joe", Trace{NoHost: true, Complete: "joe@here.test", Locals: true, Local: true, Address: "joe@here.test"}},
		{"a%virt.test%hack.test@HERE.test", Trace{Percent: []string{"HERE.test", "hack.test"}, Complete: "a@virt.test",
			Entry: "virt.test", IsEntry: true, User: "virt", Local: true, Address: "virt-a@virt.test"}},
		{"one@virt.test", Trace{Complete: "one@virt.test", Entry: "one@virt.test", IsEntry: true, User: "joe", Local: true, Address: "joe-one@virt.test"}},
		{"a@x.y.virt.test", Trace{Complete: "a@x.y.virt.test", Entry: ".virt.test", IsEntry: true, User: "sub", Local: true, Address: "sub-a@x.y.virt.test"}},
		{"a@no.virt.test", Trace{Complete: "a@no.virt.test", Entry: "no.virt.test", IsEntry: true, Address: "a@no.virt.test"}},
		{"a@else.test", Trace{Complete: "a@else.test", IsEntry: true, User: "all", Local: true, Address: "all-a@else.test"}},
	} {
		if got := traced.Trace(tt.recipient); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("Trace(%q) = %+v, want %+v", tt.recipient, got, tt.want)
		}
	}
}

// A trace ends where the route leads.
func FuzzTrace(f *testing.F) {
	for _, s := range []string{"", "joe", "@", "a@b@here.test", "a%b%hack.test@here.test", "x@.far.test", "x@a.far.test.", "%@hack.test", "z%a%q@hack.test@here.test"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, recipient string) {
		trace := traced.Trace(recipient)
		here, addr := traced.Route(recipient)
		if trace.Local != here || trace.Address != addr {
			t.Errorf("route of %q is %v %q, but the trace is %+v", recipient, here, addr, trace)
		}
	})
}
