package send

import (
	"fmt"
	"time"

	"goqmail/bounce"
	"goqmail/control"
	"goqmail/internal/hostname"
	"goqmail/internal/routes"
)

// Config is what the control files say, qmail-send(8).
type Config struct {
	Lifetime    time.Duration // how long a message is tried for
	Concurrency [channels]int // deliveries at a time, by channel

	// PerDestination is deliveries at a time to one remote host; 0 if the control
	// files do not say.
	PerDestination int

	Routes Routes

	Bounces Bounces

	LogStatus bool // whether the log has status codes
}

// Bounces is what the control files say about notices.
type Bounces struct {
	From, Host string        // their author
	DoubleTo   string        // recipient of double bounces; empty: they are thrown away
	Lifetime   time.Duration // how long notices are tried for
	Text       []string      // the administrator's own
	MaxBytes   int64         // how much of a message is sent back; 0: all
	Interval   time.Duration // at least between two notices about a message; 0: there is one, at its end
	Delay      time.Duration // age at which the sender is warned; 0: never
	MIME       bool          // as multipart/report
}

// lifetime is how long mail from a sender is tried for.
func (c *Config) lifetime(sender string) time.Duration {
	if sender == "" || sender == bounce.DoubleSender {
		return c.Bounces.Lifetime
	}
	return c.Lifetime
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
	if err := files.NullClient(hostname.System.Name); err != nil {
		return nil, &ConfigError{"smtproutes", err}
	}
	l := &loader{files: files}
	c := &Config{
		Lifetime:       time.Duration(l.number("queuelifetime")) * time.Second,
		Concurrency:    [channels]int{local: l.number("concurrencylocal"), remote: l.number("concurrencyremote")},
		PerDestination: l.number("concurrencydestination"),
		LogStatus:      l.number("logstatus") != 0,
		Bounces:        l.bounces(),
	}
	read, file, err := routes.Read(files)
	l.note(file, err)
	c.Routes = read
	if l.err != nil {
		return nil, l.err
	}
	return c, nil
}

// maxHours is more than anybody can wait, and less than a time.Duration holds.
const maxHours = 1 << 20

func (l *loader) bounces() Bounces {
	b := Bounces{
		From:     l.line("bouncefrom"),
		Host:     l.line("bouncehost"),
		DoubleTo: l.line("doublebounceto"),
		Lifetime: time.Duration(l.number("bouncelifetime")) * time.Second,
		Text:     l.list("custombouncetext"),
		MaxBytes: int64(l.number("bouncemaxbytes")),
		Interval: time.Duration(l.number("bounceinterval")) * time.Second,
		Delay:    time.Duration(min(l.number("delaywarning"), maxHours)) * time.Hour,
		MIME:     l.number("bouncemime") > 0,
	}
	host := l.line("doublebouncehost")
	if b.DoubleTo != "" {
		b.DoubleTo += "@" + host // Compat: always, even if there is one
	}
	return b
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
