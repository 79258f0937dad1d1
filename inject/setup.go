package inject

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"goqmail/control"
	"goqmail/internal/fault"
)

// Setup is what an [Injector] is made from.
type Setup struct {
	Policy Policy
	Home   string                      // of the system, with the folder control
	Getenv func(string) (string, bool) // os.LookupEnv
	Now    func() time.Time
	PID    int

	// Host is what the host is called where control/me is not there and the policy
	// is Exact. Without it, what control files say by default is used.
	Host func() string
}

// New reads the control files and the environment. Its errors, like those of the
// methods, are for [Report].
func New(s Setup) (*Injector, error) {
	in := &Injector{policy: s.Policy, now: s.Now, pid: s.PID, limit: MaxHeader, identity: identify(s.Getenv), known: map[string]bool{}}
	in.obey(s.Getenv)
	var err error
	if in.lists, err = readLists(s.Getenv); err != nil {
		return nil, err
	}
	if st, err := os.Stat(s.Home); err != nil || !st.IsDir() {
		return nil, fault.Soft("internal bug", err) // Compat: not the clearest of texts
	}
	files, err := control.Open(filepath.Join(s.Home, "control"))
	if err != nil {
		return nil, readError(err)
	}
	me := ""
	if _, ok := files.Me(); !ok && s.Host != nil && s.Policy.Exact {
		me = s.Host()
	}
	if err := in.configure(&settings{files, s.Getenv, me}); err != nil {
		return nil, err
	}
	if s.Policy.Exact {
		lines, _, err := files.List("masquerade")
		if err != nil {
			return nil, readError(err)
		}
		in.senders = control.Pairs(lines)
	}
	return in, nil
}

// obey does what the letters of QMAILINJECT say.
func (in *Injector) obey(getenv func(string) (string, bool)) {
	letters, _ := getenv("QMAILINJECT")
	has := func(letter string) bool { return strings.Contains(letters, letter) }
	in.nameComment, in.verp, in.perMessage = has("c"), has("r"), has("m")
	in.ignored = map[string]bool{"from": has("f"), "message-id": has("i"), "return-path": has("s")}
}

// readLists reads the file of mailing lists that QMAILMFTFILE names, relative to
// the working folder. It has the form of a control file.
func readLists(getenv func(string) (string, bool)) (control.Map, error) {
	name, set := getenv("QMAILMFTFILE")
	if !set {
		return nil, nil
	}
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, readError(err)
	}
	return control.Set(control.ParseList(string(data))), nil
}

// configure reads the control files; a variable beats a file, which has to be
// readable all the same.
func (in *Injector) configure(from *settings) error {
	for _, part := range []struct {
		name, joint string
		tokens      *[]token
	}{
		{"defaultdomain", ".", &in.defaults.domain},
		{"defaulthost", "@", &in.defaults.host},
		{"plusdomain", ".", &in.defaults.plus},
	} {
		line, err := from.line(part.name)
		if err != nil {
			return err
		}
		if line == "" && from.host != "" {
			continue // a host without a domain
		}
		if *part.tokens, err = scan(nil, part.joint+line); err != nil {
			return lineError(part.joint + line)
		}
	}
	var err error
	in.idhost, err = from.line("idhost")
	return err
}

// settings is where the names come from that complete addresses.
type settings struct {
	files  *control.Folder
	getenv func(string) (string, bool)
	host   string // in place of control/me, if not empty
}

func (s *settings) line(name string) (string, error) {
	line, given, err := s.files.Given(name)
	switch {
	case err != nil:
		return "", readError(err)
	case given:
	case s.host != "":
		line = s.byHost(name)
	default:
		if line, err = s.files.Default(name); err != nil {
			return "", readError(err)
		}
	}
	if v, set := s.getenv("QMAIL" + strings.ToUpper(name)); set {
		line = v
	}
	return line, nil
}

// byHost is a setting that follows from the name of the host: a domain, which may
// be empty, or the name.
func (s *settings) byHost(name string) string {
	if strings.HasSuffix(name, "domain") {
		_, domain, _ := strings.Cut(s.host, ".")
		return domain
	}
	return s.host
}
