package send

import (
	"testing"

	"goqmail/control"
)

func TestRoute(t *testing.T) {
	r := &Routes{
		EnvNoAtHost: "noat.example",
		PercentHack: control.Set([]string{"hack.example"}),
		Locals:      control.Set([]string{"test.example", "b"}),
		Virtual: control.Pairs([]string{
			"virt.example:joe", ".virt.example:wild", "ann@far.example:ann", "not.virt.example:", "star.example:bob-list", ".:dot",
		}),
	}
	everything := *r
	everything.Virtual = control.Pairs([]string{":all", "out.example:"})
	for _, tt := range []struct {
		routes    *Routes
		recipient string
		ch        channel
		want      string
		back      string // as notices show it
	}{
		{r, "joe@test.example", local, "joe@test.example", "joe@test.example"},
		{r, "Joe@TEST.example", local, "Joe@TEST.example", "Joe@TEST.example"},
		{r, "joe@sub.test.example", remote, "joe@sub.test.example", "joe@sub.test.example"},
		{r, "joe", remote, "joe@noat.example", "joe@noat.example"},
		{r, "joe@", remote, "joe@", "joe@"},
		{r, "", remote, "@noat.example", "@noat.example"},
		{r, "a@b@far.example", remote, "a@b@far.example", "a@b@far.example"},
		{r, "joe%test.example@hack.example", local, "joe@test.example", "joe@test.example"},
		{r, "a%b%hack.example@hack.example", local, "a@b", "a@b"},
		{r, "joe@hack.example", remote, "joe@hack.example", "joe@hack.example"},
		{r, "x%a@b@hack.example", local, "x@a@b", "x@a@b"},
		{r, "info@virt.example", local, "joe-info@virt.example", "info@virt.example"},
		{r, "info@a.b.Virt.example", local, "wild-info@a.b.Virt.example", "info@a.b.Virt.example"},
		{r, "info@not.virt.example", remote, "info@not.virt.example", "info@not.virt.example"},
		{r, "ann@far.example", local, "ann-ann@far.example", "ann-ann@far.example"},
		{r, "bob@far.example", remote, "bob@far.example", "bob@far.example"},
		{r, "x@star.example", local, "bob-list-x@star.example", "x@star.example"},
		{r, "x@host.", local, "dot-x@host.", "x@host."},
		{&everything, "x@any.example", local, "all-x@any.example", "x@any.example"},
		{&everything, "x@out.example", remote, "x@out.example", "x@out.example"},
	} {
		ch, addr := tt.routes.Route(tt.recipient)
		if ch != tt.ch || addr != tt.want {
			t.Errorf("Route(%q) = %v %q, want %v %q", tt.recipient, ch, addr, tt.ch, tt.want)
		}
		if back := tt.routes.Strip(addr); back != tt.back {
			t.Errorf("Strip(%q) = %q, want %q", addr, back, tt.back)
		}
	}
	if got := r.Strip("nohost"); got != "nohost" {
		t.Errorf("Strip(nohost) = %q", got)
	}
}
