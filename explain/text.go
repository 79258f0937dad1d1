package explain

import (
	"fmt"
	"io"
	"strings"
)

// doing says in words what the kinds of instructions do.
var doing = map[string]string{
	"mbox":    "append to the mbox",
	"maildir": "deliver to the maildir",
	"program": "feed to the command",
	"forward": "forward to",
}

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "address: %s\n", show(r.Given))
	if r.NoHost {
		b.WriteString("  has no host: control/envnoathost is added\n")
	}
	for _, host := range r.Percent {
		fmt.Fprintf(&b, "  control/percenthack has %s\n", show(host))
	}
	if r.Address != r.Given {
		fmt.Fprintf(&b, "  is %s\n", show(r.Address))
	}
	r.writeRoute(&b)
	r.writeUser(&b)
	r.writeFiles(&b)
	for _, i := range r.Instructions {
		fmt.Fprintf(&b, "line %d: %s %s\n", i.Line, doing[i.Kind], show(i.Text))
		if i.Forbidden {
			b.WriteString("  which is forbidden: only forwards may be in this file\n")
		}
	}
	if r.Sender != "" {
		fmt.Fprintf(&b, "sender of what is forwarded: %s\n", show(r.Sender))
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "problem: %s\n", show(p))
	}
	fmt.Fprintf(&b, "outcome: %s\n", r.Outcome)
	if r.Text != "" {
		fmt.Fprintf(&b, "  %s\n", show(r.Text))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) writeRoute(b *strings.Builder) {
	if r.Route.Kind == "" {
		return
	}
	fmt.Fprintf(b, "route: %s\n", r.Route.Kind)
	switch {
	case r.Route.File != "":
		fmt.Fprintf(b, "  %s has %s\n", r.Route.File, show(r.Route.Entry))
	case r.Route.Kind == "remote":
		b.WriteString("  neither control/locals nor control/virtualdomains has it\n")
	}
	if r.Route.Address != "" {
		fmt.Fprintf(b, "  as %s\n", show(r.Route.Address))
	}
	if r.Relay == nil || r.Outcome == Unknown {
		return
	}
	if r.Relay.Via != "" {
		fmt.Fprintf(b, "  control/smtproutes: mail for %s goes to %s, port %d\n", show(r.Relay.Host), show(r.Relay.Via), r.Relay.Port)
	} else {
		fmt.Fprintf(b, "  no route in control/smtproutes: to the mail exchangers of %s\n", show(r.Relay.Host))
	}
}

func (r *Report) writeUser(b *strings.Builder) {
	if u := r.User; u != nil {
		fmt.Fprintf(b, "user: %s (uid %d, gid %d), by %s\n", show(u.Name), u.UID, u.GID, u.Source)
		fmt.Fprintf(b, "  home %s, dash %q, extension %q\n", show(u.Home), u.Dash, u.Ext)
	}
}

func (r *Report) writeFiles(b *strings.Builder) {
	for _, f := range r.Files {
		fmt.Fprintf(b, "file %s: %s", show(f.Name), f.Result)
		if f.Default != "" && f.Result == "taken" {
			fmt.Fprintf(b, ", DEFAULT=%s", show(f.Default))
		}
		b.WriteByte('\n')
	}
	if r.ByDefault {
		b.WriteString("instructions: those of the default delivery\n")
	}
}

// show returns text for a terminal: a question mark in place of each control
// character, since others may have written it.
func show(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return '?'
		}
		return c
	}, s)
}
