// Package getopt reads options in the manner of getopt(3), which qmail's
// programs use: options may be bundled and may carry their argument attached
// (-nN, -fsender, -f sender). Package flag reads both differently.
package getopt

// Parser walks over the options of one command line.
type Parser struct {
	spec  string
	args  []string
	group string // rest of the bundle under way
	ended bool   // by --

	Arg string // argument of the last option, if it takes one
}

// New returns a parser of args, the command line without the program's name.
// Spec lists the option letters, each followed by a colon if it takes an argument.
func New(args []string, spec string) *Parser {
	return &Parser{spec: spec, args: args}
}

// Next returns the next option's letter, 0 after the last one, or '?' for an
// option that is not in the spec or lacks its argument; [Parser.Arg] then holds
// the letter.
func (p *Parser) Next() byte {
	if p.group == "" {
		if p.ended || len(p.args) == 0 || len(p.args[0]) < 2 || p.args[0][0] != '-' {
			return 0
		}
		first := p.args[0]
		p.args = p.args[1:]
		if first == "--" {
			p.ended = true
			return 0
		}
		p.group = first[1:]
	}
	letter := p.group[0]
	p.group = p.group[1:]
	p.Arg = ""
	switch p.takes(letter) {
	case no:
		return letter
	case unknown:
		p.Arg = string(letter)
		return '?'
	}
	if p.group != "" {
		p.Arg, p.group = p.group, ""
		return letter
	}
	if len(p.args) == 0 {
		p.Arg = string(letter)
		return '?'
	}
	p.Arg, p.args = p.args[0], p.args[1:]
	return letter
}

// Rest returns what follows the options.
func (p *Parser) Rest() []string { return p.args }

type takes int

const (
	unknown takes = iota
	no
	yes
)

func (p *Parser) takes(letter byte) takes {
	for i := 0; i < len(p.spec); i++ {
		if p.spec[i] != letter || letter == ':' {
			continue
		}
		if i+1 < len(p.spec) && p.spec[i+1] == ':' {
			return yes
		}
		return no
	}
	return unknown
}
