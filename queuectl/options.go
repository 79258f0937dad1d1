package queuectl

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"goqmail/internal/address"
	"goqmail/queue"
)

// options is a command line behind its verb.
type options struct {
	json, all, body bool
	split           int // 0: as it is
	filter          filter
	numbers         []queue.Number
}

// filter picks messages. What is nil or zero picks all.
type filter struct {
	sender, recipient, domain *string // patterns, with * for anything, in any case of letters
	older, newer              time.Duration
	larger                    int64
	held                      bool
}

func (f filter) isEmpty() bool { return f == filter{} }

// parseOptions reads options, -name value or -name=value, and message numbers.
func parseOptions(args []string) (*options, error) {
	o := &options{}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if len(arg) < 2 || arg[0] != '-' {
			n, ok := queue.ParseNumber(strings.TrimPrefix(arg, "#"))
			if !ok {
				return nil, fmt.Errorf("%q is not the number of a message", arg)
			}
			o.numbers = append(o.numbers, n)
			continue
		}
		name, value, attached := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if o.flag(name) {
			if attached {
				return nil, fmt.Errorf("option -%s takes no value", name)
			}
			continue
		}
		if !attached {
			if len(args) == 0 {
				return nil, fmt.Errorf("option -%s is unknown or lacks its value", name)
			}
			value, args = args[0], args[1:]
		}
		if err := o.set(name, value); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (o *options) flag(name string) bool {
	switch name {
	case "json":
		o.json = true
	case "all":
		o.all = true
	case "body":
		o.body = true
	case "held":
		o.filter.held = true
	default:
		return false
	}
	return true
}

func (o *options) set(name, value string) (err error) {
	switch name {
	case "sender":
		o.filter.sender = &value
	case "recipient":
		o.filter.recipient = &value
	case "domain":
		o.filter.domain = &value
	case "older":
		o.filter.older, err = parseDuration(value)
	case "newer":
		o.filter.newer, err = parseDuration(value)
	case "larger":
		o.filter.larger, err = parseSize(value)
	case "split":
		if o.split, err = strconv.Atoi(value); err == nil && (o.split < 1 || o.split > 100000) {
			err = strconv.ErrRange
		}
	default:
		return fmt.Errorf("option -%s is unknown", name)
	}
	if err != nil {
		return fmt.Errorf("%q does not fit option -%s", value, name)
	}
	return nil
}

// parseUnits reads a whole number with a unit, or without for the unit "".
func parseUnits(s string, units map[string]int64) (int64, error) {
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	unit, ok := units[s[len(digits):]]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err == nil && (!ok || n <= 0 || n > (1<<62)/unit) {
		err = strconv.ErrRange
	}
	return n * unit, err
}

// parseDuration reads 90, 90s, 15m, 3h, 2d and 1w.
func parseDuration(s string) (time.Duration, error) {
	const second = int64(time.Second)
	n, err := parseUnits(s, map[string]int64{"": second, "s": second, "m": 60 * second, "h": 3600 * second, "d": 86400 * second, "w": 7 * 86400 * second})
	return time.Duration(n), err
}

// parseSize reads bytes: 1000, 10k, 5M, 1G.
func parseSize(s string) (int64, error) {
	return parseUnits(s, map[string]int64{"": 1, "k": 1 << 10, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30})
}

// picks reports whether a message passes the filter. Of its recipients only those
// to do count, and one is enough.
func (f filter) picks(m *Message, now time.Time) bool {
	age := now.Sub(m.Born)
	switch {
	case f.sender != nil && !matches(*f.sender, m.Sender),
		f.older > 0 && age < f.older,
		f.newer > 0 && age > f.newer,
		f.larger > 0 && m.Size <= f.larger,
		f.held && m.State != stateHeld:
		return false
	}
	if f.recipient == nil && f.domain == nil {
		return true
	}
	for _, r := range m.Recipients {
		if r.State != stateDone &&
			(f.recipient == nil || matches(*f.recipient, r.Address)) &&
			(f.domain == nil || matches(*f.domain, domain(r.Address))) {
			return true
		}
	}
	return false
}

func domain(addr string) string {
	_, host, _ := address.Split(addr)
	return strings.ToLower(host)
}

// matches reports whether a pattern is the whole of a text. A * stands for any
// text; letters match in any case.
func matches(pattern, text string) bool {
	parts := strings.Split(strings.ToLower(pattern), "*")
	text = strings.ToLower(text)
	if len(parts) == 1 {
		return text == parts[0]
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return true
}
