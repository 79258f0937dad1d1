package send

import (
	"fmt"
	"time"

	"goqmail/control"
)

// Config is what the control files say, qmail-send(8).
type Config struct {
	Lifetime    time.Duration // how long a message is tried for
	Concurrency [channels]int // deliveries at a time, by channel

	// PerDestination is deliveries at a time to one remote host; 0 if the control
	// files do not say.
	PerDestination int

	Routes Routes

	BounceFrom, BounceHost string // author of bounces
	DoubleBounceTo         string // recipient of double bounces
}

// ConfigError is a control file that cannot be read.
type ConfigError struct {
	File string
	Err  error
}

func (e *ConfigError) Error() string { return fmt.Sprintf("control/%s: %v", e.File, e.Err) }
func (e *ConfigError) Unwrap() error { return e.Err }

// LoadConfig reads the control files in a folder. Its error is a [*ConfigError].
func LoadConfig(folder string) (*Config, error) {
	files, err := control.Open(folder)
	if err != nil {
		return nil, &ConfigError{"me", err}
	}
	l := &loader{files: files}
	c := &Config{
		Lifetime:       time.Duration(l.number("queuelifetime")) * time.Second,
		Concurrency:    [channels]int{local: l.number("concurrencylocal"), remote: l.number("concurrencyremote")},
		PerDestination: l.number("concurrencydestination"),
		Routes: Routes{
			EnvNoAtHost: l.line("envnoathost"),
			PercentHack: control.Set(l.list("percenthack")),
			Virtual:     control.Pairs(l.list("virtualdomains")),
		},
		BounceFrom: l.line("bouncefrom"),
		BounceHost: l.line("bouncehost"),
		// Compat: a host is always added, even if there is one.
		DoubleBounceTo: l.line("doublebounceto") + "@" + l.line("doublebouncehost"),
	}
	locals, ok, err := files.List("locals")
	if err == nil && !ok {
		err = fmt.Errorf("neither it nor control/me is there")
	}
	l.note("locals", err)
	c.Routes.Locals = control.Set(locals)
	if l.err != nil {
		return nil, l.err
	}
	return c, nil
}

// loader remembers the first file that could not be read.
type loader struct {
	files *control.Folder
	err   error
}

func (l *loader) note(file string, err error) {
	if err != nil && l.err == nil {
		l.err = &ConfigError{file, err}
	}
}

func (l *loader) line(file string) string {
	line, err := l.files.Line(file)
	l.note(file, err)
	return line
}

func (l *loader) number(file string) int {
	n, err := l.files.Number(file)
	l.note(file, err)
	return n
}

func (l *loader) list(file string) []string {
	lines, _, err := l.files.List(file)
	l.note(file, err)
	return lines
}
