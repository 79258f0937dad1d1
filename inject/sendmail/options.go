package sendmail

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Mode is what there is to do.
type Mode int

const (
	Deliver  Mode = iota // take a message
	SMTP                 // speak SMTP on standard input and output
	List                 // list the queue
	Aliases              // rebuild aliases
	Explain              // say where addresses lead to
	RunQueue             // try again what is in the queue
	Daemon               // what other systems' sendmail does in the background
	Nothing              // what has no meaning here
)

// Usage is what to say of a command line that is wrong.
const Usage = "sendmail: usage: sendmail [ -t ] [ -i ] [ -fsender ] [ -Fname ] [ -bp ] [ -bs ] [ -bv ] [ -bi ] [ -q ] [ arg ... ]\n"

// Command is a command line.
type Command struct {
	Mode Mode
	Args []string // recipients, or addresses to explain

	FromHeader bool   // -t: the header names recipients too
	IgnoreDots bool   // -i: a line of one dot is nothing special
	Sender     string // -f, as it was given
	HasSender  bool
	Name       string // -F: the sender's full name
	HasName    bool
	NoBounces  bool   // -N never
	VERP       string // -XV: what stands between sender and recipient, empty for none
	RunQueue   bool   // -q, beside a message
}

// How an option takes its argument.
const (
	// Attached or, failing that, the next word.
	needing = "BCDFLNORVXabefhopr"
	// Attached, if there is one.
	allowing = "AdEJqQ"
	// Never.
	alone = "cGIimnstUvx"
)

// modes are the arguments of -b.
var modes = map[string]Mode{
	"m": Deliver, "s": SMTP, "p": List, "i": Aliases, "v": Explain, "t": Explain,
	"d": Daemon, "D": Daemon, "l": Nothing, "h": Nothing, "H": Nothing,
}

// names are other names that the program is called by.
var names = map[string]Mode{
	"mailq": List, "newaliases": Aliases, "hoststat": Nothing, "purgestat": Nothing, "smtpd": Daemon,
}

// UsageError is what is wrong with a command line.
type UsageError struct{ Text string }

func (e *UsageError) Error() string { return e.Text }

func usage(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// Parse reads a command line, argv[0] included, by which the program knows what it
// is called. An error, a [*UsageError], matters only in mode Deliver and
// SMTP: what takes no mail does not care for options it does not know.
func Parse(argv []string) (*Command, error) {
	p := &parser{}
	if len(argv) > 0 {
		p.c.Mode = names[path.Base(argv[0])]
		p.args = argv[1:]
	}
	for len(p.args) > 0 && len(p.args[0]) > 1 && p.args[0][0] == '-' {
		word := p.args[0]
		p.args = p.args[1:]
		if word == "--" {
			break
		}
		if strings.HasPrefix(word, "--") {
			p.long(word)
		} else {
			p.bundle(word[1:])
		}
	}
	p.c.Args = p.args
	if p.c.RunQueue && p.c.Mode == Deliver && !p.explicit && !p.c.FromHeader && len(p.c.Args) == 0 {
		p.c.Mode = RunQueue
	}
	return &p.c, p.err
}

type parser struct {
	c        Command
	args     []string // what is left
	explicit bool     // -bm
	err      error    // the first one
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = usage(format, args...)
	}
}

// bundle reads options that stand in one word.
func (p *parser) bundle(letters string) {
	for letters != "" {
		letter := letters[0]
		letters = letters[1:]
		switch {
		case strings.IndexByte(alone, letter) >= 0:
			p.option(letter, "")
			continue
		case strings.IndexByte(allowing, letter) >= 0:
		case strings.IndexByte(needing, letter) < 0:
			p.fail("illegal option -- %c", letter)
			return
		case letters == "":
			if len(p.args) == 0 {
				p.fail("option requires an argument -- %c", letter)
				return
			}
			letters, p.args = p.args[0], p.args[1:]
		case letter == 'o':
			p.skipExim(letters)
		}
		p.option(letter, letters)
		return
	}
}

// skipExim takes the argument of Exim's -oMr and the like, which is the next word.
// Other forms of -o have theirs attached, so that the next word is a recipient.
func (p *parser) skipExim(attached string) {
	forms := []string{"Ma", "Maa", "Mai", "Mas", "Mi", "Mm", "Mr", "Ms", "Mt", "Mv"}
	if slices.Contains(forms, attached) && len(p.args) > 0 {
		p.args = p.args[1:]
	}
}

// option obeys one option. Those that are not here are accepted, and mean nothing:
// what they ask for goes without saying, or there is no such thing.
func (p *parser) option(letter byte, arg string) {
	switch letter {
	case 'b':
		p.mode(arg)
	case 'F':
		p.c.Name, p.c.HasName = arg, true
	case 'f', 'r':
		p.c.Sender, p.c.HasSender = arg, true
	case 'I':
		p.c.Mode = Aliases
	case 'i':
		p.c.IgnoreDots = true
	case 'N':
		p.c.NoBounces = strings.EqualFold(arg, "never")
	case 'O':
		p.c.IgnoreDots = p.c.IgnoreDots || isIgnoreDots(arg)
	case 'o':
		p.c.IgnoreDots = p.c.IgnoreDots || arg == "i" || strings.EqualFold(arg, "itrue")
	case 'q':
		p.c.RunQueue = true
	case 't':
		p.c.FromHeader = true
	case 'X':
		p.verp(arg)
	}
}

func isIgnoreDots(arg string) bool {
	name, value, _ := strings.Cut(arg, "=")
	return strings.EqualFold(strings.TrimSpace(name), "IgnoreDots") && !strings.HasPrefix(strings.ToLower(strings.TrimSpace(value)), "f")
}

func (p *parser) mode(arg string) {
	mode, ok := modes[arg]
	if !ok {
		p.fail("illegal mode -- b%s", arg)
		return
	}
	p.c.Mode, p.explicit = mode, arg == "m"
}

// verp reads -XV, which Postfix has: V, and perhaps what stands between sender and
// recipient and in place of the recipient's @. The latter is always = here.
func (p *parser) verp(arg string) {
	switch {
	case arg == "V":
		p.c.VERP = "-"
	case strings.HasPrefix(arg, "V"):
		p.c.VERP = arg[1:2]
	}
}

// ignored are long options of msmtp that say nothing about the message.
var ignored = []string{"account", "file", "logfile", "syslog", "read-envelope-from", "add-missing-date-header", "add-missing-from-header"}

// long reads the long options of msmtp, in whose place people put this program.
func (p *parser) long(word string) {
	name, value, _ := strings.Cut(word[2:], "=")
	switch {
	case name == "read-recipients":
		p.c.FromHeader = true
	case name == "from":
		p.c.Sender, p.c.HasSender = value, true
	case !slices.Contains(ignored, name):
		p.fail("illegal option -- %s", word)
	}
}
