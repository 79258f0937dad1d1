package remote

import (
	"strings"
	"testing"
)

func TestRoutes(t *testing.T) {
	example := []string{
		".example.org:",
		"example.net:relay.example.net:2525",
		"[IPv6:2001:db8::1]:[IPv6:2001:db8::2]:26",
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
		{"example: the domain itself", "example.org", example, Route{"192.0.2.1", 25}, true},
		{"example: port", "Example.NET", example, Route{"relay.example.net", 2525}, true},
		{"example: IPv6", "[ipv6:2001:db8::1]", example, Route{"[IPv6:2001:db8::2]", 26}, true},
		{"example: empty host", "", example, Route{"192.0.2.1", 25}, true},
		{"none", "example.org", none, Route{}, false},
		{"no lines", "example.org", nil, Route{}, false},
		{"longest wins", "a.b.c", []string{":1.1.1.1", ".c:2.2.2.2", ".b.c:3.3.3.3"}, Route{"3.3.3.3", 25}, true},
		{"exact wins", "a.b.c", []string{"a.b.c:1.1.1.1", ".b.c:3.3.3.3"}, Route{"1.1.1.1", 25}, true},
		{"later wins", "a", []string{"a:1.1.1.1", "A:2.2.2.2"}, Route{"2.2.2.2", 25}, true},
		{"empty port", "a", []string{"a:b:"}, Route{"b", 25}, true},
		{"IPv6 without a tag", "a", []string{"a:[::1]:26"}, Route{"[::1]", 26}, true},
		{"IPv6 without a port", "a", []string{"a:[::1]"}, Route{"[::1]", 25}, true},
		{"odd bytes", "\xff\xc4", []string{"\xff\xc4:b"}, Route{"b", 25}, true},
		{"dot at the end", "a.", []string{".:b"}, Route{"b", 25}, true},
	}
	for _, tt := range tests {
		got, ok, err := ParseRoutes(tt.lines).Find(tt.host)
		if got != tt.want || ok != tt.ok || err != nil {
			t.Errorf("%s: Find(%q) = %v, %v, %v, want %v, %v", tt.name, tt.host, got, ok, err, tt.want, tt.ok)
		}
	}
}

func TestBadRoutes(t *testing.T) {
	for _, line := range []string{"a:b:0", "a:b:65536", "a:b:99999999999999999999", "a:b:x", "a:b:25x", "a:b:-1", "a:b:25:26", "a::25", "a:::1", "a:[::1:25", "a:b:587|user|password"} {
		if got, ok, err := ParseRoutes([]string{line}).Find("a"); err == nil || ok {
			t.Errorf("%q: Find gives %v, %v and no error", line, got, ok)
		}
	}
}

// FuzzRoutes: a line is found again by its own host, and what is found is usable.
func FuzzRoutes(f *testing.F) {
	for _, line := range []string{"a:b", "a:b:25", ":b", "a:", "[IPv6:::1]:[::1]:26", "[", "a:b:c:d", ".:", "a.b:c:70000"} {
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
		if found && (route.Relay == "" || route.Port == 0 || !strings.HasPrefix(rest, route.Relay)) {
			t.Fatalf("%q: route %v", line, route)
		}
	})
}
