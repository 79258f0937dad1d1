package local

import (
	"strings"

	"goqmail/dot-qmail"
)

// environment is what programs find, qmail-command(8): the caller's environment
// with the delivery's variables in place of any of the same name. DEFAULT is not
// set unless the file's name ends so, whatever the caller had.
func environment(caller []string, d *Delivery, p *dotqmail.Plan, newSender string, added addedLines) []string {
	own := [][2]string{
		{"USER", d.User},
		{"HOME", d.Home},
		{"LOCAL", d.To.Local},
		{"HOST", d.To.Host},
		{"RECIPIENT", d.To.String()},
		{"SENDER", d.Sender},
		{"NEWSENDER", newSender},
		{"DTLINE", added.deliveredTo},
		{"RPLINE", added.returnPath},
		{"UFLINE", added.from},
	}
	ext, host := d.To.Ext, d.To.Host
	own = append(own, [2]string{"EXT", ext})
	for _, n := range []string{"2", "3", "4"} {
		_, ext, _ = strings.Cut(ext, "-")
		if i := strings.LastIndexByte(host, '.'); i >= 0 {
			host = host[:i] // Compat: a host out of dots stays as it is
		}
		own = append(own, [2]string{"EXT" + n, ext}, [2]string{"HOST" + n, host})
	}
	if p.File.IsDefault {
		own = append(own, [2]string{"DEFAULT", p.File.Default})
	}

	names := map[string]bool{"DEFAULT": true}
	for _, v := range own {
		names[v[0]] = true
	}
	env := make([]string, 0, len(caller)+len(own))
	for _, v := range caller {
		if name, _, _ := strings.Cut(v, "="); !names[name] {
			env = append(env, v)
		}
	}
	for _, v := range own {
		env = append(env, v[0]+"="+v[1])
	}
	return env
}
