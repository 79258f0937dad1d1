// Package lint finds what is wrong with control files: what cannot be read, what
// says something else than it seems to, and what does not fit together. It tells
// qmail-showctl(8) and qmail-check(8); no program that handles mail asks it.
package lint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"goqmail/control"
)

// Problem is something wrong with a control file.
type Problem struct {
	File string // its name in the folder control
	Text string // in a line
}

// String is the problem with the name of its file.
func (p Problem) String() string { return p.File + ": " + p.Text }

// More says what the files and folders below control are that are not settings of
// the kinds in [control.Files].
var More = map[string]string{
	"clientca.pem":      "authorities whose clients qmail-smtpd relays for",
	"clientcrl.pem":     "certificates that these have revoked",
	"clientcert.pem":    "certificate and key of qmail-remote",
	"morercpthosts.cdb": "morercpthosts, compiled by qmail-newmrh",

	"morevalidrcptto.cdb": "morevalidrcptto, compiled by qmail-newmvrt",
	"validrcptto.cdb":     "all recipients, made by other programs",

	"notlshosts":     "hosts that qmail-remote uses no TLS with",
	"servercert.pem": "certificate and key of qmail-smtpd",
	"servercerts":    "certificates and keys of qmail-smtpd by host",
	"tlshosts":       "hosts that qmail-remote uses TLS with, and what vouches for them",
}

// linter collects problems of the files in a folder.
type linter struct {
	folder string
	files  *control.Folder
	found  []Problem
	lists  map[string][]string // those that could be read, with their defaults
}

// Problems looks at every control file in a folder. An error means that there was
// no looking: the folder or me cannot be read.
func Problems(folder string) ([]Problem, error) {
	names, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	files, err := control.Open(folder)
	if err != nil {
		return nil, err
	}
	l := &linter{folder: folder, files: files, lists: map[string][]string{}}
	for _, f := range control.Files {
		l.file(f)
	}
	l.together()
	for _, name := range names {
		l.mode(name.Name())
	}
	return l.found, nil
}

func (l *linter) say(file, format string, args ...any) {
	l.found = append(l.found, Problem{file, fmt.Sprintf(format, args...)})
}

// file looks at one file by itself.
func (l *linter) file(f control.File) {
	data, err := os.ReadFile(filepath.Join(l.folder, f.Name))
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case missing && f.Name == "me":
		l.say("me", "is missing: this host has no name")
	case missing && f.Kind == control.List:
		l.list(f, "")
	case missing:
	case errors.Is(err, fs.ErrPermission): // it has passwords, perhaps, and is not for who asks
	case err != nil:
		l.say(f.Name, "cannot be read: %v", cause(err))
	default:
		l.text(f, string(data))
	}
}

// cause is an error without the name of the file.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func (l *linter) text(f control.File, text string) {
	if strings.Contains(text, "\r") {
		l.say(f.Name, "has carriage returns, which count")
	}
	if strings.Contains(text, "\x00") {
		l.say(f.Name, "has NUL bytes, which count")
	}
	if f.Kind == control.List {
		l.list(f, text)
		return
	}
	line, rest, _ := strings.Cut(text, "\n")
	if strings.TrimSpace(rest) != "" {
		l.say(f.Name, "has more than one line: only the first counts")
	}
	line = strings.TrimRight(line, " \t")
	if f.Kind == control.Number {
		l.number(f, line)
		return
	}
	switch {
	case line == "":
		l.say(f.Name, "is empty, which is not the same as missing")
	case line != strings.TrimLeft(line, " \t"):
		l.say(f.Name, "begins with blanks, which count")
	}
	if f.Name == "me" {
		l.name(line)
	}
}

func (l *linter) number(f control.File, line string) {
	n, ok, _ := l.files.GivenNumber(f.Name)
	switch {
	case !ok:
		n, _ = l.files.Number(f.Name)
		l.say(f.Name, "does not begin with a digit: the default, %d, counts", n)
	case strings.Trim(line, "0123456789") != "":
		l.say(f.Name, "has more than a number: only %d counts", n)
	}
}

// name looks at what this host calls itself.
func (l *linter) name(me string) {
	switch {
	case strings.ContainsAny(me, "@ \t"):
		l.say("me", "is not the name of a host")
	case !strings.Contains(me, ".") && me != "":
		l.say("me", "has no dot: other hosts refuse such a name")
	}
}

func (l *linter) list(f control.File, text string) {
	lines, _, err := l.files.List(f.Name)
	if err != nil {
		return
	}
	l.lists[f.Name] = lines
	seen := map[string]bool{}
	for _, line := range control.ParseList(text) {
		key := strings.ToLower(line)
		var open bool
		if line, open = control.Shown(f.Name, line); !open {
			l.secret(f.Name)
		}
		if line[0] == ' ' || line[0] == '\t' {
			l.say(f.Name, "%q begins with a blank, which counts", line)
		}
		if seen[key] {
			l.say(f.Name, "%q is there twice", line)
		}
		seen[key] = true
	}
}

// together looks at what files say to each other.
func (l *linter) together() {
	l.hosts()
	l.virtual()
	l.compiled("morercpthosts", "qmail-newmrh")
	l.compiled("morevalidrcptto", "qmail-newmvrt")
	l.plugins()
	_, me := l.files.Me()
	if _, err := os.Stat(filepath.Join(l.folder, "rcpthosts")); errors.Is(err, fs.ErrNotExist) && me {
		l.say("rcpthosts", "is missing: qmail-smtpd takes mail from relay clients alone")
	}
}

// hosts looks at lists of hosts.
func (l *linter) hosts() {
	for _, name := range []string{"locals", "rcpthosts", "morercpthosts", "percenthack"} {
		for _, host := range l.lists[name] {
			if strings.Contains(host, "@") {
				l.say(name, "%q is an address, not a host", host)
			}
		}
	}
	if _, ok := l.lists["rcpthosts"]; !ok || len(l.lists["rcpthosts"]) == 0 {
		return
	}
	for _, host := range l.lists["locals"] {
		if me, _ := l.files.Me(); !l.taken(host) && host != "localhost" && (host != me || l.there("locals")) {
			l.say("locals", "%s is not in rcpthosts: other hosts cannot send mail to it", host)
		}
	}
}

func (l *linter) there(name string) bool {
	_, err := os.Lstat(filepath.Join(l.folder, name))
	return err == nil
}

// taken reports whether qmail-smtpd takes mail for a host.
func (l *linter) taken(host string) bool {
	host = strings.ToLower(host)
	hosts := slices.Concat(l.lists["rcpthosts"], l.lists["morercpthosts"])
	for {
		if slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
			return true
		}
		dot := strings.IndexByte(host[min(1, len(host)):], '.')
		if dot < 0 {
			return false
		}
		host = host[dot+1:]
	}
}

func (l *linter) virtual() {
	for _, line := range l.lists["virtualdomains"] {
		who, _, ok := strings.Cut(line, ":")
		if !ok {
			l.say("virtualdomains", "%q has no colon: it means nothing", line)
			continue
		}
		if who == "" || who[0] == '.' || strings.Contains(who, "@") {
			continue
		}
		if slices.ContainsFunc(l.lists["locals"], func(h string) bool { return strings.EqualFold(h, who) }) {
			l.say("virtualdomains", "%s is in locals too, which counts", who)
		}
		if len(l.lists["rcpthosts"]) > 0 && !l.taken(who) {
			l.say("virtualdomains", "%s is not in rcpthosts: other hosts cannot send mail to it", who)
		}
	}
}

// compiled looks at a list that is in effect once a program has made a cdb of it.
func (l *linter) compiled(name, program string) {
	text, err1 := os.Stat(filepath.Join(l.folder, name))
	table, err2 := os.Stat(filepath.Join(l.folder, name+".cdb"))
	switch {
	case err1 == nil && err2 != nil:
		l.say(name, "is not in effect: run %s", program)
	case err1 != nil && err2 == nil:
		l.say(name, "is missing, and %s.cdb is in effect", name)
	case err1 == nil && text.ModTime().After(table.ModTime()):
		l.say(name, "is newer than what is in effect: run %s", program)
	}
}

// plugins looks for plug-ins of no section that qmail-smtpd knows, qmail-spp(5).
func (l *linter) plugins() {
	section := "none"
	for _, line := range l.lists["smtpplugins"] {
		if strings.HasPrefix(line, "[") {
			section = line
		} else if len(section) < 2 || !strings.Contains("chmrpda", section[1:2]) {
			l.say("smtpplugins", "%q is in no section that there is: it means nothing", line)
		}
	}
}

// secret looks at who can read a file with a password in it.
func (l *linter) secret(name string) {
	st, err := os.Stat(filepath.Join(l.folder, name))
	p := Problem{name, "has a password in it and can be read by everybody"}
	if err == nil && st.Mode().Perm()&0o004 != 0 && !slices.Contains(l.found, p) {
		l.found = append(l.found, p)
	}
}

// mode looks at who can write a file.
func (l *linter) mode(name string) {
	st, err := os.Lstat(filepath.Join(l.folder, name))
	if err == nil && st.Mode().Type() != fs.ModeSymlink && st.Mode().Perm()&0o002 != 0 {
		l.say(name, "can be written by everybody")
	}
}
