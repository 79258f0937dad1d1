package remote

import (
	"fmt"
	"strconv"
	"strings"
)

// smtpPort is where SMTP servers listen. /etc/services is not asked.
const smtpPort = 25

// smtpsPort is where SMTP servers listen that speak TLS from the first byte on,
// RFC 8314 section 3.3.
const smtpsPort = 465

// Routes are the lines of control/smtproutes, by host, or those of
// control/authsenders, by sender.
//
// A line is host:relay, host:relay:port, or host: for no relay. The host is a
// name or address, .domain for all names below a domain, or empty for all hosts;
// of those that fit, the longest counts, and of two lines for the same host the
// later. An IPv6 address, as host or relay, stands in brackets. Lines without a
// colon are nothing. The host !@ stands for all mail without a sender.
//
// A user and a password for the relay follow the port, after bars or blanks; the
// password is the rest of the line. A semicolon may be in the place of the
// second colon, and then an IPv6 address needs no brackets. Two more numbers
// after the port, as indimail has them, mean nothing. For instance:
//
//	.example.org:
//	example.net:relay.example.net:2525
//	[IPv6:2001:db8::1]:[IPv6:2001:db8::2]:26
//	example.com:smtp.example.com:587|anna|secret
//	bars.example:smtp.example.com;465|anna|secret
//	blanks.example:smtp.example.com:587 anna secret
//	!@:bounces.example.net
//	:192.0.2.1
//
// In control/authsenders the host is that of a sender: user@domain, @domain,
// .domain for what is below it, or empty for all senders.
type Routes map[string]string

// Route is where mail for a host goes instead.
type Route struct {
	Relay          string // a name, an address, or an address in brackets
	Port           uint16
	User, Password string // both or none
}

// String leaves out the password: routes end up in messages about them.
func (r Route) String() string {
	text := r.Relay + ":" + strconv.Itoa(int(r.Port))
	if r.User != "" {
		text += " as " + r.User
	}
	return text
}

// nullSender is the host that stands for all mail without a sender.
const nullSender = "!@"

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
	return r.find(host, ".")
}

// Sender returns the route for a sender, in control/authsenders.
func (r Routes) Sender(sender string) (route Route, ok bool, err error) {
	return r.find(sender, ".@")
}

func (r Routes) find(key, marks string) (Route, bool, error) {
	text, _ := r.lookup(key, marks)
	if text == "" {
		return Route{}, false, nil
	}
	route, err := parseRoute(text, smtpPort)
	return route, err == nil, err
}

// lookup looks for all of key, and for each end of it that begins with one of the
// marks, the empty one too. It returns the text of the route, and the length of
// what was found, or -1.
func (r Routes) lookup(key, marks string) (text string, fit int) {
	key = lower(key)
	for i := 0; i <= len(key); i++ {
		if i > 0 && i < len(key) && strings.IndexByte(marks, key[i]) < 0 {
			continue
		}
		if text, found := r[key[i:]]; found {
			return text, len(key) - i
		}
	}
	return "", -1
}

// parseRoute reads a route, to this port if it does not say which. The error tells
// nothing of what may be a password.
func parseRoute(text string, usual uint16) (Route, error) {
	place, user, password, err := cutLogin(text)
	if err != nil {
		return Route{}, err
	}
	relay, port, err := cutPort(place)
	if err != nil {
		return Route{}, err
	}
	if relay == "" {
		return Route{}, fmt.Errorf("route %q has no relay", place)
	}
	r := Route{relay, usual, user, password}
	if port == "" {
		// Compat: the original takes relay: for port 0.
		return r, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return Route{}, fmt.Errorf("route %q has a bad port", place)
	}
	r.Port = uint16(n)
	return r, nil
}

// cutLogin cuts a route after its port. Empty places for both user and password
// stand for none.
func cutLogin(text string) (place, user, password string, err error) {
	i := strings.IndexAny(text, "| ")
	if i < 0 {
		return text, "", "", nil
	}
	place = text[:i]
	user, password, ok := strings.Cut(text[i+1:], text[i:i+1])
	if !ok || (user == "") != (password == "") {
		return "", "", "", fmt.Errorf("route %q has a user or a password, not both", place)
	}
	return place, user, password, nil
}

// cutPort cuts a route between relay and port.
func cutPort(place string) (relay, port string, err error) {
	if relay, port, ok := strings.Cut(place, ";"); ok {
		if _, isAddr := literal(relay); !isAddr && strings.Contains(relay, ":") {
			return "", "", fmt.Errorf("route %q has no port at its end", place)
		}
		return relay, port, nil
	}
	relay, rest, _ := cutHost(place)
	fields := strings.Split(rest, ":")
	if len(fields) == 3 && isNumber(fields[0]) && isNumber(fields[1]) && isNumber(fields[2]) { // penalty and tolerance
		return relay, fields[0], nil
	}
	return relay, rest, nil
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

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
