package remote

import (
	"fmt"
	"strconv"
	"strings"
)

// smtpPort is where SMTP servers listen. /etc/services is not asked.
const smtpPort = 25

// Routes are the lines of control/smtproutes, by host.
//
// A line is host:relay, host:relay:port, or host: for no relay. The host is a
// name or address, .domain for all names below a domain, or empty for all hosts;
// of those that fit, the longest counts, and of two lines for the same host the
// later. An IPv6 address, as host or relay, stands in brackets. Lines without a
// colon are nothing. For instance:
//
//	.example.org:
//	example.net:relay.example.net:2525
//	[IPv6:2001:db8::1]:[IPv6:2001:db8::2]:26
//	:192.0.2.1
type Routes map[string]string

// Route is where mail for a host goes instead.
type Route struct {
	Relay string // a name, an address, or an address in brackets
	Port  uint16
}

// ParseRoutes reads the lines of control/smtproutes.
func ParseRoutes(lines []string) Routes {
	routes := make(Routes, len(lines))
	for _, line := range lines {
		if host, route, ok := cutHost(line); ok {
			routes[lower(host)] = route
		}
	}
	return routes
}

// Find returns the route for a host; ok is false if there is none. A route that
// cannot be understood is an error: mail must not go somewhere else meanwhile.
func (r Routes) Find(host string) (route Route, ok bool, err error) {
	host = lower(host)
	for i := 0; i <= len(host); i++ {
		if i > 0 && i < len(host) && host[i] != '.' {
			continue
		}
		text, found := r[host[i:]]
		if !found {
			continue
		}
		if text == "" {
			return Route{}, false, nil
		}
		route, err = parseRoute(text)
		return route, err == nil, err
	}
	return Route{}, false, nil
}

// parseRoute reads relay or relay:port.
func parseRoute(text string) (Route, error) {
	relay, port, _ := cutHost(text)
	if relay == "" {
		return Route{}, fmt.Errorf("smtproutes: route %q has no relay", text)
	}
	if port == "" {
		// Compat: the original takes relay: for port 0.
		return Route{relay, smtpPort}, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return Route{}, fmt.Errorf("smtproutes: route %q has a bad port", text)
	}
	return Route{relay, uint16(n)}, nil
}

// cutHost cuts a line after its host, which ends at the first colon that is not
// in brackets. Without a colon all of it is host.
func cutHost(line string) (host, rest string, found bool) {
	inside := 0
	if line != "" && line[0] == '[' {
		inside = max(strings.IndexByte(line, ']'), 0)
	}
	i := strings.IndexByte(line[inside:], ':')
	if i < 0 {
		return line, "", false
	}
	return line[:inside+i], line[inside+i+1:], true
}

// lower lowers the ASCII letters of s; a host name may hold any other bytes.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
