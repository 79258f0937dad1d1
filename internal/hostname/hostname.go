// Package hostname finds out what this host is called where nobody has said so in
// control/me.
package hostname

import (
	"os"
	"strings"
)

// Files are where names are looked for.
type Files struct {
	Mailname string                 // the name of the host in mail addresses, Debian Policy 11.6
	Hosts    string                 // hosts(5)
	Host     func() (string, error) // the name that the kernel knows
}

// System is the host that this runs on.
var System = Files{Mailname: "/etc/mailname", Hosts: "/etc/hosts", Host: os.Hostname}

// Name returns the host's name: what mailname says, or else the host's own name,
// with the domain that hosts(5) knows for it if it has none itself. It may have no
// dot in it then, and is "localhost" if there is no name at all. DNS is not asked.
func (f Files) Name() string {
	if name := firstLine(f.Mailname); isName(name) {
		return name
	}
	name, err := f.Host()
	if name = strings.TrimRight(name, "."); err != nil || !isName(name) {
		return "localhost"
	}
	if strings.Contains(name, ".") {
		return name
	}
	return f.withDomain(name)
}

// withDomain looks in hosts(5) for a longer form of name. Its lines are an address
// and names.
func (f Files) withDomain(name string) string {
	data, err := os.ReadFile(f.Hosts)
	if err != nil {
		return name
	}
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		for i := 1; i < len(fields); i++ {
			if strings.HasPrefix(strings.ToLower(fields[i]), strings.ToLower(name)+".") && isName(fields[i]) {
				return fields[i]
			}
		}
	}
	return name
}

func firstLine(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.TrimSpace(line)
}

// isName reports whether a name can stand in an address: letters, digits, dots,
// hyphens, and underscores, which some hosts have.
func isName(name string) bool {
	if name == "" || len(name) > 253 || name[0] == '.' {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c != '-' && c != '.' && c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}
