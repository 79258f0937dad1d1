package routes

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
		here      bool
		want      string
		back      string // as notices show it
	}{
		{r, "joe@test.example", true, "joe@test.example", "joe@test.example"},
		{r, "Joe@TEST.example", true, "Joe@TEST.example", "Joe@TEST.example"},
		{r, "joe@sub.test.example", false, "joe@sub.test.example", "joe@sub.test.example"},
		{r, "joe", false, "joe@noat.example", "joe@noat.example"},
		{r, "joe@", false, "joe@", "joe@"},
		{r, "", false, "@noat.example", "@noat.example"},
		{r, "a@b@far.example", false, "a@b@far.example", "a@b@far.example"},
		{r, "joe%test.example@hack.example", true, "joe@test.example", "joe@test.example"},
		{r, "a%b%hack.example@hack.example", true, "a@b", "a@b"},
		{r, "joe@hack.example", false, "joe@hack.example", "joe@hack.example"},
		{r, "x%a@b@hack.example", true, "x@a@b", "x@a@b"},
		{r, "info@virt.example", true, "joe-info@virt.example", "info@virt.example"},
		{r, "info@a.b.Virt.example", true, "wild-info@a.b.Virt.example", "info@a.b.Virt.example"},
		{r, "info@not.virt.example", false, "info@not.virt.example", "info@not.virt.example"},
		{r, "ann@far.example", true, "ann-ann@far.example", "ann-ann@far.example"},
		{r, "bob@far.example", false, "bob@far.example", "bob@far.example"},
		{r, "x@star.example", true, "bob-list-x@star.example", "x@star.example"},
		{r, "x@host.", true, "dot-x@host.", "x@host."},
		{&everything, "x@any.example", true, "all-x@any.example", "x@any.example"},
		{&everything, "x@out.example", false, "x@out.example", "x@out.example"},
	} {
		here, addr := tt.routes.Route(tt.recipient)
		if here != tt.here || addr != tt.want {
			t.Errorf("Route(%q) = %v %q, want %v %q", tt.recipient, here, addr, tt.here, tt.want)
		}
		if back := tt.routes.Strip(addr); back != tt.back {
			t.Errorf("Strip(%q) = %q, want %q", addr, back, tt.back)
		}
	}
	if got := r.Strip("nohost"); got != "nohost" {
		t.Errorf("Strip(nohost) = %q", got)
	}
}
