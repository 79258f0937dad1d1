package remote

import (
	"fmt"
	"strings"
	"testing"
)

func TestRoutes(t *testing.T) {
	example := []string{
		".example.org:",
		"example.net:relay.example.net:2525",
		"[IPv6:2001:db8::1]:[IPv6:2001:db8::2]:26",
		"example.com:smtp.example.com:587|anna|secret",
		"bars.example:smtp.example.com;465|anna|secret",
		"blanks.example:smtp.example.com:587 anna secret",
		"!@:bounces.example.net",
		":192.0.2.1",
	}
	none := []string{"other.example:x", "no colon"}
	tests := []struct {
		name, host string
		lines      []string
		want       Route
		ok         bool
	}{
		{"example: below a domain", "a.b.example.org", example, Route{}, false},
		{"example: the domain itself", "example.org", example, Route{Relay: "192.0.2.1", Port: 25}, true},
		{"example: port", "Example.NET", example, Route{Relay: "relay.example.net", Port: 2525}, true},
		{"example: IPv6", "[ipv6:2001:db8::1]", example, Route{Relay: "[IPv6:2001:db8::2]", Port: 26}, true},
		{"example: empty host", "", example, Route{Relay: "192.0.2.1", Port: 25}, true},
		{"example: bars", "example.com", example, Route{"smtp.example.com", 587, "anna", "secret"}, true},
		{"example: semicolon", "bars.example", example, Route{"smtp.example.com", 465, "anna", "secret"}, true},
		{"example: blanks", "blanks.example", example, Route{"smtp.example.com", 587, "anna", "secret"}, true},
		{"example: no sender", nullSender, example, Route{Relay: "bounces.example.net", Port: 25}, true},
		{"none", "example.org", none, Route{}, false},
		{"no lines", "example.org", nil, Route{}, false},
		{"longest wins", "a.b.c", []string{":1.1.1.1", ".c:2.2.2.2", ".b.c:3.3.3.3"}, Route{Relay: "3.3.3.3", Port: 25}, true},
		{"exact wins", "a.b.c", []string{"a.b.c:1.1.1.1", ".b.c:3.3.3.3"}, Route{Relay: "1.1.1.1", Port: 25}, true},
		{"later wins", "a", []string{"a:1.1.1.1", "A:2.2.2.2"}, Route{Relay: "2.2.2.2", Port: 25}, true},
		{"empty port", "a", []string{"a:b:"}, Route{Relay: "b", Port: 25}, true},
		{"IPv6 without a tag", "a", []string{"a:[::1]:26"}, Route{Relay: "[::1]", Port: 26}, true},
		{"IPv6 without a port", "a", []string{"a:[::1]"}, Route{Relay: "[::1]", Port: 25}, true},
		{"odd bytes", "\xff\xc4", []string{"\xff\xc4:b"}, Route{Relay: "b", Port: 25}, true},
		{"login without a port", "a", []string{"a:b|u|p"}, Route{"b", 25, "u", "p"}, true},
		{"login without a port, blanks", "a", []string{"a:b u p"}, Route{"b", 25, "u", "p"}, true},
		{"password of anything", "a", []string{"a:b:26|u:;x y|p|:; [q"}, Route{"b", 26, "u:;x y", "p|:; [q"}, true},
		{"password of anything, blanks", "a", []string{"a:b:26 u|:;x p |:; [q"}, Route{"b", 26, "u|:;x", "p |:; [q"}, true},
		{"no user, no password", "a", []string{"a:b:26||"}, Route{Relay: "b", Port: 26}, true},
		{"semicolon", "a", []string{"a:b;26"}, Route{Relay: "b", Port: 26}, true},
		{"semicolon without a port", "a", []string{"a:b;|u|p"}, Route{"b", 25, "u", "p"}, true},
		{"semicolon after IPv6", "a", []string{"a:2001:db8::1;26|u|p"}, Route{"2001:db8::1", 26, "u", "p"}, true},
		{"semicolon after IPv6 in brackets", "a", []string{"a:[2001:db8::1];26"}, Route{Relay: "[2001:db8::1]", Port: 26}, true},
		{"penalty and tolerance", "a", []string{"a:b:26:3600:120 u p"}, Route{"b", 26, "u", "p"}, true},
		{"address in brackets with a login", "a", []string{"a:[192.0.2.1]:26|u|p"}, Route{"[192.0.2.1]", 26, "u", "p"}, true},
		{"dot at the end", "a.", []string{".:b"}, Route{Relay: "b", Port: 25}, true},
	}
	for _, tt := range tests {
		got, ok, err := ParseRoutes(tt.lines).Find(tt.host)
		if got != tt.want || ok != tt.ok || err != nil {
			t.Errorf("%s: Find(%q) = %v, %v, %v, want %v, %v", tt.name, tt.host, got, ok, err, tt.want, tt.ok)
		}
	}
}

func TestBadRoutes(t *testing.T) {
	for _, line := range []string{"a:b:0", "a:b:65536", "a:b:99999999999999999999", "a:b:x", "a:b:25x", "a:b:-1", "a:b:25:26", "a::25", "a:::1", "a:[::1:25",
		"a:|user|password", "a:b:587|user", "a:b:587|user|", "a:b:587||password", "a:b:587 user", "a:b:x|user|password",
		"a:b:25;26", "a:b;x", "a:b;0", "a:;25", "a:b:25:1", "a:b:25:1:x", "a:b:25:1:2:3"} {
		if got, ok, err := ParseRoutes([]string{line}).Find("a"); err == nil || ok {
			t.Errorf("%q: Find gives %v, %v and no error", line, got, ok)
		} else if strings.Contains(err.Error(), "password") && strings.Contains(line, "password") && !strings.Contains(err.Error(), "not both") {
			t.Errorf("%q: error %q tells the password", line, err)
		}
	}
}

func TestSenders(t *testing.T) {
	senders := ParseRoutes([]string{
		"Anna@Example.org:a:26",
		"@example.org:b",
		".example.org:c|u|p",
		"none@example.org:",
		"bad@example.org:b:x",
	})
	tests := []struct {
		sender string
		want   Route
		ok     bool
	}{
		{"anna@example.ORG", Route{Relay: "a", Port: 26}, true},
		{"other@example.org", Route{Relay: "b", Port: 25}, true},
		{"other@below.example.org", Route{"c", 25, "u", "p"}, true},
		{"none@example.org", Route{}, false},
		{"anna@example.net", Route{}, false},
		{"", Route{}, false},
	}
	for _, tt := range tests {
		if got, ok, err := senders.Sender(tt.sender); got != tt.want || ok != tt.ok || err != nil {
			t.Errorf("Sender(%q) = %v, %v, %v, want %v, %v", tt.sender, got, ok, err, tt.want, tt.ok)
		}
	}
	if got, ok, err := senders.Sender("bad@example.org"); ok || err == nil {
		t.Errorf("bad@example.org: %v and no error", got)
	}
	all := ParseRoutes([]string{":relay|u|p"})
	if got, ok, _ := all.Sender("x@example.org"); !ok || got.User != "u" {
		t.Errorf("the line for all senders: %v, %v", got, ok)
	}
}

func TestRouteString(t *testing.T) {
	text := fmt.Sprintf("%v %+v %s", Route{"b", 25, "u", "secret"}, Route{"b", 25, "u", "secret"}, Route{Relay: "b", Port: 25})
	if want := "b:25 as u b:25 as u b:25"; text != want {
		t.Errorf("routes are written %q, want %q", text, want)
	}
}

// FuzzRoutes: a line is found again by its own host, and what is found is usable.
func FuzzRoutes(f *testing.F) {
	for _, line := range []string{"a:b", "a:b:25", ":b", "a:", "[IPv6:::1]:[::1]:26", "[", "a:b:c:d", ".:", "a.b:c:70000", "a:b:587|u|p", "a:b;465|u|p", "a:b:587 u p", "a:2001::1;26", "a:b:1:2:3"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		routes := ParseRoutes([]string{line})
		host, rest, ok := cutHost(line)
		if ok != (len(routes) == 1) {
			t.Fatalf("%q makes %d routes", line, len(routes))
		}
		route, found, err := routes.Find(strings.ToUpper(lower(host)))
		if !ok {
			if found || err != nil {
				t.Fatalf("%q: no route, but found %v, %v", line, route, err)
			}
			return
		}
		if host != lower(strings.ToUpper(lower(host))) {
			return // not ASCII: ToUpper is no inverse
		}
		if rest == "" && (found || err != nil) || rest != "" && found != (err == nil) {
			t.Fatalf("%q: found %v, %v", line, found, err)
		}
		if found && (route.Relay == "" || route.Port == 0 || !strings.HasPrefix(rest, route.Relay) ||
			!strings.HasSuffix(rest, route.Password) || (route.User == "") != (route.Password == "")) {
			t.Fatalf("%q: route %v", line, route)
		}
	})
}
